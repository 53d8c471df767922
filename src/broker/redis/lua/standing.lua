-- Claims that found nothing, and that an enqueue makes in its own step: whoever waits hears of its task and holds it.
--
-- They are kept by the library alone, and nowhere else: a server that is started anew has none until the workers claim again, and one that
-- keeps no library hands nothing over. Only enqueues of a few tasks do it, into queues where nothing else waits: of
-- others workers are told. What nobody hears of is found when the claim is sent again, under the same token.

-- By incarnation: `claims` by worker, { request, untilAt, lines }, and `lines` by queue, lists of claims from `first` to `last`.
-- A claim is once in a line until it is looked at, whether it stands or not: `lines` says in which.
local standing = { all = {}, count = 0 }

-- Beyond so many workers, gone ones among them, all begin anew.
local STANDING_KEPT = 2000

function anew.standing()
  if standing.count > STANDING_KEPT then standing.all, standing.count = {}, 0 end
end

function standing.here()
  local here = standing.all[incarnation]
  if not here then
    here = { claims = {}, lines = {} }
    standing.all[incarnation] = here
  end
  return here
end

function standing.of(workerId)
  local claims = standing.here().claims
  if not claims[workerId] then
    claims[workerId], standing.count = { request = false, untilAt = 0, lines = {} }, standing.count + 1
  end
  return claims[workerId]
end

function standing.keep(request)
  if not request.standMs or request.limit == 0 then return standing.leave(request) end
  local claim, lines = standing.of(request.workerId), standing.here().lines
  claim.request, claim.untilAt = request, now + request.standMs
  for _, demand in ipairs(request.queues) do
    local queue = demand[1]
    if not claim.lines[queue] then
      local line = lines[queue] or { first = 1, last = 0 }
      claim.lines[queue], lines[queue] = true, line
      line.last = line.last + 1
      line[line.last] = claim
    end
  end
end

function standing.leave(request)
  local here = standing.all[incarnation]
  local claim = here and here.claims[request.workerId]
  if claim then claim.untilAt = 0 end
end

function standing.channelOf(request)
  return prefix .. 'signals:' .. request.from
end

-- For one queue and so many tasks.
function standing.requestFor(request, queue, count)
  for _, demand in ipairs(request.queues) do
    if demand[1] == queue then
      local limit = math.min(request.limit, demand[2], count)
      return {
        token = request.token, workerId = request.workerId, leaseMs = request.leaseMs, limit = limit, queues = { { queue, limit } },
        from = request.from,
      }
    end
  end
end

-- Whether somebody is connected to hear of it: a process that was killed is not.
function standing.isHeard(request)
  local found = redis.pcall('PUBSUB', 'SHARDNUMSUB', standing.channelOf(request))
  return not found.err and found[2] > 0
end

-- Takes the claim out of the line that has stood there longest, for new tasks in this queue; nil when none stands.
function standing.next(queue, count)
  local here = standing.all[incarnation]
  local line = here and here.lines[queue]
  while line and line.first <= line.last do
    local claim = line[line.first]
    line[line.first], line.first, claim.lines[queue] = nil, line.first + 1, nil
    local request = claim.untilAt > now and standing.requestFor(claim.request, queue, count)
    if request then
      claim.untilAt = 0
      if standing.isHeard(request) then return request end
    end
  end
end

-- Whose claim stands for queues where tasks wait now is told of them, and asks: what comes later to another queue of its must not overtake these.
function standing.endFor(queues)
  local here = standing.all[incarnation]
  for _, queue in ipairs(here and queues or {}) do
    local line = here.lines[queue]
    for at = line and line.first or 1, line and line.last or 0 do
      line[at].untilAt, line[at].lines[queue], line[at] = 0, nil, nil
    end
    here.lines[queue] = nil
  end
end

-- Who is to have the tasks of an enqueue that were simply queued, by their letters: nil when nobody is, or something stands before them.
function standing.first(letters)
  local queue = work[1]
  if not queue or work[2] or #letters > limits.handOverMax or not next(standing.all) then return nil end
  local bytes = 0
  for i = 6, #ARGV do
    bytes = bytes + #ARGV[i]
  end
  local key = prefix .. queueKey(queue)
  if bytes > limits.handOverBytesMax or call('EXISTS', key, key .. ':grouped', key .. ':packs') > 0 then return nil end
  return standing.next(queue, #letters)
end
