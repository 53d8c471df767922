-- Claiming, for `claim` and for the next claim of `settle`.

-- The tasks that still run under a token that was used before, as they are now; nil for a new token.
local function claimedBefore(token)
  local text = call('HGET', prefix .. 'claims', token)
  if not text then return nil end
  local ids, mine = words(string.sub(text, 42)), {}
  load(ids, true)
  for _, id in ipairs(ids) do
    if tasks[id] and tasks[id][TOKEN] == token then mine[#mine + 1] = id end
  end
  if #mine > 0 then return mine end
end

local function openLines(request)
  local lines, names = {}, {}
  for i, demand in ipairs(request.queues) do
    names[i] = demand[1]
  end
  if #names == 0 then return lines end
  local pauses = call('HMGET', prefix .. 'queues', unpack(names))
  for i, demand in ipairs(request.queues) do
    if not pauses[i] or pauses[i] == '' then lines[#lines + 1] = openLine(demand[1], demand[2]) end
  end
  for _, line in ipairs(lines) do
    line.readsLeft = math.ceil(limits.claimReadsMax / #lines)
  end
  return lines
end

-- The line whose head comes first in the order of claims.
local function firstLine(lines, limit)
  local first, order, id
  for _, line in ipairs(lines) do
    if advanceLine(line, limit) then
      local nextOrder, nextId = line.orders[line.at], line.ids[line.at]
      if not first or nextOrder < order or (nextOrder == order and nextId < id) then
        first, order, id = line, nextOrder, nextId
      end
    end
  end
  return first, id
end

-- Goes through what can be claimed, in the order of claims over all queues: each that is taken leaves less for the next.
local function pick(request)
  local lines, ids = openLines(request), {}
  while #ids < request.limit do
    local line, id = firstLine(lines, request.limit)
    if not line then break end
    line.at = line.at + 1
    local rules = rulesOf[id]
    if not rules or hasRoom(rules) then
      if rules then takeSlots(id, rules) end
      line.left = line.left - 1
      ids[#ids + 1] = id
    end
  end
  for _, line in ipairs(lines) do
    closeLine(line)
  end
  return ids
end

local function lease(id, request)
  local task = tasks[id]
  local from = leave(id, task)
  task[STATE], task[REASON], task[EPOCH], task[ATTEMPT] = 'running', false, task[EPOCH] + 1, task[ATTEMPT] + 1
  task[WORKER_ID], task[TOKEN], task[CLAIMED_AT], task[STARTED_AT] = request.workerId, request.token, now, false
  setAside(id, task, 'p', false)
  enter('claim', id, task, from, now + request.leaseMs)
  local ifExists = task[KEY] and shapes[task[SHAPE]][IF_EXISTS]
  if ifExists == 'replace' or ifExists == 'debounce' then freeKey(id, task) end
end

-- Answers the ids of the tasks that are leased to the request, and the end of their leases when these are new.
local function claim(request)
  local before = claimedBefore(request.token)
  if before then return before end
  local ids = pick(request)
  load(ids, true)
  for _, id in ipairs(ids) do
    lease(id, request)
  end
  if #ids > 0 then
    -- By worker too, so that the tasks of a dead one are found: one member a batch, gone when all of it is settled.
    local worker = redis.sha1hex(request.workerId)
    set(members, 'worker:' .. worker, request.token, true)
    set(puts, 'claims', request.token, worker .. ' ' .. table.concat(ids, ' '))
    add('openClaims', request.token, #ids)
  end
  return ids, now + request.leaseMs
end
