-- Claiming, for `claim` and for the next claim of `settle`.

-- The tasks that still run under a token that was used before, as they are now; nil for a new token.
local function claimedBefore(token)
  local text = call('HGET', prefix .. 'claims', token)
  if not text then return nil end
  local ids, mine = leases.idsOfClaim(text), {}
  load(ids, true)
  for _, id in ipairs(ids) do
    if tasks[id] and tasks[id][TOKEN] == token then mine[#mine + 1] = id end
  end
  table.sort(mine, function(a, b)
    local first, second = orderOf(tasks[a]), orderOf(tasks[b])
    if first ~= second then return first < second end
    return a < b
  end)
  if #mine > 0 then return mine end
  -- They end in this call: whoever claims under the token now may be another worker.
  set(members, 'worker:' .. string.sub(text, 1, 40), token, false)
end

local function openLines(request)
  local lines, names = {}, {}
  for i, demand in ipairs(request.queues) do
    names[i] = demand[1]
  end
  if #names == 0 then return lines end
  local pauses = call('HMGET', prefix .. 'queues', unpack(names))
  for i, demand in ipairs(request.queues) do
    if request.limit > 0 and demand[2] > 0 then turns.claimedFrom[demand[1]] = true end
    local isOpen = gate.readQueue(demand[1], pauses[i]) == ''
    if lookFor.without then isOpen, gate.queueRules[demand[1]] = true, false end
    if isOpen then
      local queue = openQueue(demand[1], lookFor.without and demand[2] or math.min(demand[2], request.limit))
      lines[#lines + 1] = turns.roundOf(queue.name) and groups.open(queue) or openLine(queue, queueKey(queue.name), queue.limit)
    end
  end
  lookFor.orders, lookFor.rules, lookFor.deadlines, lookFor.cursors = #lines > 1, false, false, false
  -- Mostly there is none of them, which is one question.
  if call('EXISTS', prefix .. 'rules', prefix .. 'deadlines', prefix .. 'cursors') > 0 then
    lookFor.rules, lookFor.deadlines = call('EXISTS', prefix .. 'rules') == 1, call('EXISTS', prefix .. 'deadlines') == 1
    lookFor.cursors = call('EXISTS', prefix .. 'cursors') == 1
  end
  if lookFor.without then lookFor.rules, lookFor.cursors = false, false end
  -- All demanded queues together look at so many tasks behind full limits, each its share: one script holds up everybody.
  for _, line in ipairs(lines) do
    line.spare = math.ceil(limits.claimScanMax * limits.claimReadsMax / #lines)
    if line.isFair then groups.share(line) end
  end
  return lines
end

-- The task at the head of a line as { line, own, order, id }: a queue, the line in it; nil when nothing is left.
local function headOfLine(line)
  local own = line
  if line.isFair then
    own = groups.advance(line)
  elseif not advanceLine(line) then
    own = nil
  end
  return own and { line, own, lookFor.orders and own.orders[own.at], own.ids[own.at] }
end

local function comesBefore(order, id, other)
  if order ~= other[3] then return order < other[3] end
  return id < other[4]
end

-- What comes first in the order of claims, and what would if it were not there.
local function firstTwo(lines)
  local first, second
  for _, line in ipairs(lines) do
    local head = headOfLine(line)
    if head and (not first or comesBefore(head[3], head[4], first)) then
      first, second = head, first
    elseif head and (not second or comesBefore(head[3], head[4], second)) then
      second = head
    end
  end
  return first, second
end

-- Who follow each other in a claim mostly have the same rules, and take their slots together: those of `ids` from place `from` on, of one
-- queue, with `own` rules of theirs and all `rules`; there is `room` for so many more. `shared` are the own ones when all of a claim have them.
local stretch = { queue = nil, own = nil, rules = nil, room = 0, from = 1, shared = nil }

function anew.take()
  stretch.queue, stretch.own, stretch.rules, stretch.room, stretch.from, stretch.shared = nil, nil, nil, 0, 1, nil
end

function stretch.stop(ids, isLast)
  local own, rules, from = stretch.own, stretch.rules, stretch.from
  local size = #ids - from + 1
  stretch.from = #ids + 1
  if size == 0 then return end
  stretch.shared = isLast and size == #ids and own or nil
  if own then stretch.queue.taken[own.text] = (stretch.queue.taken[own.text] or 0) + size end
  if rules then takeSlots(isLast and size == #ids and ids or { unpack(ids, from) }, rules) end
end

-- Whether a stretch begins: not when a limit holds such tasks back.
function stretch.start(queue, own, ids)
  stretch.stop(ids)
  stretch.room = 0
  if isHeldBack(queue, own) then return false end
  local rules = own
  if gate.queueRules[queue.name] then rules = gate.withQueueRule(rules, queue.name) end
  local room = rules and roomFor(rules) or math.huge
  if room == 0 then
    -- All of the queue carries its limit.
    if gate.queueRules[queue.name] and gate.limitOf(gate.QUEUE_MARK .. queue.name).isClosed then queue.left = 0 end
    if own and queue.left > 0 then
      own.isClosed = true
      isHeldBack(queue, own)
    end
    return false
  end
  stretch.queue, stretch.own, stretch.rules, stretch.room = queue, own, rules, room
  return true
end

-- Whether a task with `own` rules was taken: not when a limit holds it back.
local function take(id, own, line, ids)
  local queue = line.queue
  if (stretch.room == 0 or own ~= stretch.own or queue ~= stretch.queue) and not stretch.start(queue, own, ids) then return false end
  stretch.room = stretch.room - 1
  queue.left, line.page, line.taken = queue.left - 1, line.page + 2, line.taken + 1
  ids[#ids + 1] = id
  if queue.waiting then endIfHeldBack(queue) end
  return true
end

-- Takes the first task of a line, and of a queue without groups those behind it that come before what the others have.
local function takeFrom(first, second, most, ids)
  local line, own = first[1], first[2]
  repeat
    local id = own.ids[own.at]
    own.at = own.at + 1
    if take(id, own.queue.rules or rulesOf[id], own, ids) and line.isFair then groups.serve(line, #ids) end
    id = own.ids[own.at]
  until line.isFair or own.queue.left == 0 or #ids == most or not id or (second and not comesBefore(own.orders[own.at], id, second))
end

-- Takes tasks in laps, while groups follow each other in the same order and what comes carries the rules of this stretch. Whether it has taken any.
function stretch.takeLaps(fair, most, ids)
  local queue, size = fair.queue, fair.last - fair.first + 1
  fair.lapsFrom = #ids + size
  if stretch.queue ~= queue or queue.waiting then return false end
  local laps = groups.lapsOf(fair)
  local left = math.min(laps * size, most - #ids, queue.left, stretch.room)
  if left <= 0 then return false end
  local taken = groups.readLaps(fair, left, ids, stretch.own)
  if taken == 0 then return false end
  groups.serveLaps(fair, taken, #ids - taken)
  stretch.room, queue.left = stretch.room - taken, queue.left - taken
  return true
end

-- Takes the tasks of one queue with groups as these take turns.
local function takeTurns(fair, most, ids)
  local queue = fair.queue
  while #ids < most and queue.left > 0 do
    if #ids >= fair.lapsFrom and groups.areAllOpen(fair) and stretch.takeLaps(fair, most, ids) and (#ids >= most or queue.left == 0) then break end
    local line = fair.current or groups.next(fair)
    if not line then break end
    fair.current = line
    local at = line.at
    local id = line.ids[at]
    local own = queue.rules or rulesOf[id]
    -- Mostly the first task of a group may run.
    if not id or at > (line.known or at) or (own and own.isClosed) then
      line = groups.advance(fair)
      if not line then break end
      at = line.at
      id = line.ids[at]
      own = queue.rules or rulesOf[id]
    end
    line.at = at + 1
    if take(id, own, line, ids) then groups.serve(fair, #ids) end
  end
end

-- Goes through what can be claimed, in the order of claims over all queues: each that is taken leaves less for the next.
local function pick(request)
  local lines, ids = openLines(request), {}
  packs.meet(lines, ids)
  if #lines == 1 and lines[1].isFair then takeTurns(lines[1], request.limit, ids) end
  while #ids < request.limit do
    local first, second = firstTwo(lines)
    if not first then break end
    takeFrom(first, second, request.limit, ids)
  end
  stretch.stop(ids, true)
  if #lines == 1 then stretch.shared = lines[1].queue.rules or stretch.shared end
  for _, line in ipairs(lines) do
    for text, taken in pairs(line.queue.taken) do
      add(queueKey(line.queue.name) .. ':rules', text, -taken)
    end
    if line.isFair then
      groups.close(line, ids)
    else
      closeLine(line)
      -- Mostly it gave its first tasks, and no other.
      if line.taken > 0 and line.taken == line.at - 1 and line.rank == #line.ids then cuts[line.key] = line.taken end
    end
  end
  return ids
end

-- What a claim has found in lines has been counted already.
local function lease(who, task, request, isFound)
  local from = leave(who, task, isFound)
  task[STATE], task[REASON], task[EPOCH], task[ATTEMPT] = 'running', false, task[EPOCH] + 1, task[ATTEMPT] + 1
  task[WORKER_ID], task[TOKEN], task[CLAIMED_AT], task[STARTED_AT] = request.workerId, request.token, now, false
  setAside(who, task, 'p', false)
  enter('claim', who, task, from)
  local ifExists = has(task, 'k') and shapes[task[SHAPE]][IF_EXISTS]
  if ifExists ~= 'replace' and ifExists ~= 'debounce' then return end
  for _, id in ipairs(who) do
    freeKey(id, task)
  end
end

-- The event names tasks in the order in which they were claimed: crowd by crowd unless crowds took turns.
local function recordTurns(ids, crowds)
  local inTurns = false
  for _, crowd in ipairs(crowds) do
    inTurns = inTurns or #crowd.runs > 2
  end
  if not inTurns then return end
  events.claim = nil
  for _, id in ipairs(ids) do
    record('claim', id, tasks[id], 'queued', 'running')
  end
end

-- What a claim gave: by worker too, so that the tasks of a dead one are found, one member a batch, gone when all of it is settled.
local function keepClaim(ids, request, rules)
  ofClaims.keep(request.token, rules, ids)
  local worker = redis.sha1hex(request.workerId)
  set(members, 'worker:' .. worker, request.token, true)
  set(puts, 'claims', request.token, worker .. ' ' .. textOfIds(ids))
  set(scores, 'leases', request.token, now + request.leaseMs)
  add('openClaims', request.token, #ids)
end

-- Answers { ids, crowds, rows, leaseUntil, rules } of the tasks that are leased to the request: the ids and `isRepeated` where it was leased before. There are no rows
-- where whoever asks reads them himself.
local function claim(request)
  local before = claimedBefore(request.token)
  if before then return { ids = before, isRepeated = true } end
  local ids = pick(request)
  if #ids == 0 then
    standing.keep(request)
    return { ids = ids }
  end
  standing.leave(request)
  -- Those of this claim by themselves, which are kept until it is over: of others nothing is about to be written.
  if not next(dirty) then owns = {} end
  local crowds, found = packs.crowds, nothing
  if not crowds then
    found = packs.found or call('HMGET', prefix .. 'tasks', unpack(ids))
    textOfIds(ids)
    crowds = gather(ids, nil, packs.heads or call('HMGET', prefix .. 'heads', unpack(ids)), found, true)
  elseif #crowds == 1 then
    crowds[1].ids = ids
  end
  for _, crowd in ipairs(crowds) do
    lease(crowd.ids, crowd.task, request, true)
  end
  recordTurns(ids, crowds)
  keepClaim(ids, request, stretch.shared)
  return { ids = ids, crowds = crowds, rows = found, leaseUntil = now + request.leaseMs, rules = stretch.shared }
end
