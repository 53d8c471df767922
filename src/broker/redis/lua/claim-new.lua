-- Tasks that are claimed as they are stored, without ever having stood in a line.

local function isAscending(ids)
  for i = 2, #ids do
    if ids[i] <= ids[i - 1] then return false end
  end
  return true
end

-- Whether a claim of this queue would take all of its new tasks, in this order: they are all that is there, and nothing holds them back.
local function isFree(queue, ids, request)
  if #ids > request.limit or not isAscending(ids) or turns.roundOf(queue) then return false end
  return gate.readQueue(queue, call('HGET', prefix .. 'queues', queue)) == '' and not gate.queueRules[queue]
end

-- Answers as `claim`, for the claim of one queue that stood, in whose line nobody waits; nil when the claim has to look.
local function claimNew(request)
  local alike = arrivals.alike
  if not alike or alike.task[STATE] ~= 'queued' then return nil end
  local ids, task = alike.ids, alike.task
  local queue = shapes[task[SHAPE]][QUEUE]
  if not isFree(queue, ids, request) then return nil end
  for i = 1, #ids do
    tasks[ids[i]] = task
  end
  lease(ids, task, request)
  -- Nothing to take out, since nothing was put there.
  scores[queueKey(queue)][ids] = nil
  keepClaim(ids, request)
  return { ids = ids, crowds = { { task = task, ids = ids } }, rows = alike.rows, leaseUntil = now + request.leaseMs }
end
