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
  table.sort(mine, function(a, b)
    local first, second = orderOf(tasks[a]), orderOf(tasks[b])
    if first ~= second then return first < second end
    return a < b
  end)
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
    if request.limit > 0 and demand[2] > 0 then turns.claimedFrom[demand[1]] = true end
    if gate.readQueue(demand[1], pauses[i]) == '' then
      lines[#lines + 1] = turns.roundOf(demand[1]) and openFair(demand[1], demand[2]) or openLine(demand[1], demand[2])
    end
  end
  for _, line in ipairs(lines) do
    line.readsLeft = math.ceil(limits.claimReadsMax / #lines)
    if line.live then line.live[1].line.readsLeft = line.readsLeft end
  end
  return lines
end

-- The line whose head comes first in the order of claims: a queue, the line in it, the group that stands for it.
local function firstLine(lines, limit)
  local first, order, id
  for _, line in ipairs(lines) do
    local stand = line.live and advanceFair(line, limit)
    local own = line.live and (stand and stand.line) or (not line.live and advanceLine(line, limit) and line)
    if own then
      local nextOrder, nextId = own.orders[own.at], own.ids[own.at]
      if not first or nextOrder < order or (nextOrder == order and nextId < id) then
        first, order, id = { line, own, stand }, nextOrder, nextId
      end
    end
  end
  return first, id
end

-- Goes through what can be claimed, in the order of claims over all queues: each that is taken leaves less for the next.
local function pick(request)
  local lines, ids = openLines(request), {}
  while #ids < request.limit do
    local first, id = firstLine(lines, request.limit)
    if not first then break end
    local line, own, stand = first[1], first[2], first[3]
    own.at = own.at + 1
    local rules = gate.withQueueRule(rulesOf[id], line.name)
    if not rules or hasRoom(rules) then
      if rules then takeSlots(id, rules) end
      line.left = line.left - 1
      ids[#ids + 1] = id
      if stand then
        local now = turns.serve(line.name, stand.group)
        stand.turn, stand.since = now[1], now[2]
      end
    elseif gate.queueRules[line.name] and gate.limitOf(gate.QUEUE_MARK .. line.name).isClosed then
      -- Nothing else of this queue can run: all of it carries the limit.
      line.left = 0
    end
  end
  for _, line in ipairs(lines) do
    if line.live then closeFair(line) else closeLine(line) end
  end
  return ids
end

local function lease(who, task, request)
  local from = leave(who, task)
  task[STATE], task[REASON], task[EPOCH], task[ATTEMPT] = 'running', false, task[EPOCH] + 1, task[ATTEMPT] + 1
  task[WORKER_ID], task[TOKEN], task[CLAIMED_AT], task[STARTED_AT] = request.workerId, request.token, now, false
  setAside(who, task, 'p', false)
  enter('claim', who, task, from, now + request.leaseMs)
  local ifExists = has(task, 'k') and shapes[task[SHAPE]][IF_EXISTS]
  if ifExists ~= 'replace' and ifExists ~= 'debounce' then return end
  for _, id in ipairs(who) do
    freeKey(id, task)
  end
end

-- Answers the ids of the tasks that are leased to the request, and the end of their leases when these are new.
local function claim(request)
  local before = claimedBefore(request.token)
  if before then return before end
  local ids = pick(request)
  for _, crowd in ipairs(crowdsOf(ids, nil, true)) do
    lease(crowd.ids, crowd.task, request)
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
