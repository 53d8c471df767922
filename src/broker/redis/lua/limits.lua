-- Limits of tasks and of whole queues: slots are sets of running tasks, rates are GCRA in whole microseconds (core/limit-rules.ts).
--
-- `limits` has what is configured by name: [max, count, perMs, pause], false for none; `tats` when all tokens of a name are back;
-- `limitNames` the names of tasks' limits that are configured or held, in their order. The limit of a queue is that of a name no
-- task can use; the text of its queue in `queues` begins with a mark then, so that a claim need not ask for it.

-- A rule of a task, as it is stored: { name, max, count, perMs }, false for none.
local RULE_NAME, RULE_MAX, RULE_COUNT, RULE_PER_MS = 1, 2, 3, 4

-- Names of limits whose slot somebody had missed and this call has freed.
local freed, slotsKeys
-- `seen` is by name what is configured, the slots that are taken, the time at which all tokens are back; `left` how many hold its
-- slots once those that were left in this call are gone; `queueRules` by queue the rule that all its tasks carry, false for none.
local gate = { LIMITED = '!', QUEUE_MARK = '\1' }

function anew.limits()
  freed, slotsKeys, gate.isAnySet, gate.isAnyRated = fresh(freed), fresh(slotsKeys), nil, nil
  gate.seen, gate.left, gate.queueRules = fresh(gate.seen), fresh(gate.left), fresh(gate.queueRules)
end

local function slotsKey(name)
  local key = slotsKeys[name]
  if not key then
    key = 'slots:' .. redis.sha1hex(name)
    slotsKeys[name] = key
  end
  return key
end

-- Takes in what is stored of a queue; answers its pause as JSON, empty for none.
function gate.readQueue(queue, text)
  local isLimited = text and string.sub(text, 1, 1) == gate.LIMITED
  gate.queueRules[queue] = isLimited and { gate.QUEUE_MARK .. queue, false, false, false }
  return isLimited and string.sub(text, 2) or text or ''
end

-- Those of the task, and the one of its queue, which is read once a call.
function gate.withQueueRule(rules, queue)
  if gate.queueRules[queue] == nil then gate.readQueue(queue, call('HGET', prefix .. 'queues', queue)) end
  if not gate.queueRules[queue] then return rules end
  local all = { unpack(rules or {}) }
  all[#all + 1] = gate.queueRules[queue]
  return all
end

-- A limit of tasks that is configured or held is listed.
function gate.list(name, isKnown)
  if string.sub(name, 1, 1) ~= gate.QUEUE_MARK then set(scores, 'limitNames', name, isKnown and 0) end
end

-- Mostly no limit is configured and none has a rate, which are two questions a call.
function gate.limitOf(name)
  local limit = gate.seen[name]
  if limit then return limit end
  if gate.isAnySet == nil then
    gate.isAnySet, gate.isAnyRated = call('EXISTS', prefix .. 'limits') == 1, call('EXISTS', prefix .. 'tats') == 1
  end
  local text = gate.isAnySet and call('HGET', prefix .. 'limits', name)
  local settings = text and cjson.decode(text) or { false, false, false, false }
  limit = {
    max = settings[1], count = settings[2], perMs = settings[3], isPaused = settings[4], isClosed = false,
    tat = gate.isAnyRated and tonumber(call('ZSCORE', prefix .. 'tats', name)) or 0,
    held = call('SCARD', prefix .. slotsKey(name)),
  }
  gate.seen[name] = limit
  return limit
end

-- The rate in force and its interval in microseconds; nil without one.
function gate.rateOf(limit, rule)
  local count, perMs = limit.count or rule[RULE_COUNT], limit.count and limit.perMs or rule[RULE_PER_MS]
  if count then return count, math.ceil(perMs * 1000 / count) end
end

function gate.hasToken(limit, rule)
  local count, interval = gate.rateOf(limit, rule)
  return not count or math.ceil((limit.tat - (count - 1) * interval) / 1000) <= now
end

-- How many tasks with these rules may run before anybody has to look again: after each one where there is a rate. A limit found full is
-- closed for the rest of the call.
local function roomFor(rules)
  for _, rule in ipairs(rules) do
    if gate.limitOf(rule[RULE_NAME]).isClosed then return 0 end
  end
  local room = math.huge
  for _, rule in ipairs(rules) do
    local name = rule[RULE_NAME]
    local limit = gate.limitOf(name)
    local max = limit.max or rule[RULE_MAX]
    if max and limit.held >= max then
      set(members, 'missed', name, true)
      freed[name] = nil
      limit.isClosed = true
    end
    if limit.isPaused or not gate.hasToken(limit, rule) then limit.isClosed = true end
    if limit.isClosed then room, closedNames[name] = 0, true end
    room = math.min(room, max and max - limit.held or room, gate.rateOf(limit, rule) and 1 or room)
  end
  -- Who has lowered a limit may have left more holders than it has slots.
  return math.max(0, room)
end

-- Of tasks with the same rules, for which there is room.
local function takeSlots(ids, rules)
  for _, rule in ipairs(rules) do
    local name = rule[RULE_NAME]
    local limit = gate.limitOf(name)
    set(members, slotsKey(name), ids, true)
    if limit.held == 0 then gate.list(name, true) end
    limit.held = limit.held + #ids
    local count, interval = gate.rateOf(limit, rule)
    if count then
      limit.tat = math.max(limit.tat, now * 1000) + #ids * interval
      set(scores, 'tats', name, string.format('%.0f', limit.tat))
    end
  end
end

-- Frees the slots of runs that end, of tasks with the same rules. Those that a claim has missed are told.
local function leaveSlots(ids, rules)
  for _, rule in ipairs(rules) do
    local name = rule[RULE_NAME]
    if not gate.left[name] then
      gate.left[name] = call('SCARD', prefix .. slotsKey(name))
      if call('SISMEMBER', prefix .. 'missed', name) == 1 then
        set(members, 'missed', name, false)
        freed[name] = true
      end
    end
    set(members, slotsKey(name), ids, false)
    gate.left[name] = gate.left[name] - #ids
    if gate.left[name] == 0 and call('HEXISTS', prefix .. 'limits', name) == 0 then gate.list(name, false) end
  end
end
