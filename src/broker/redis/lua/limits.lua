-- Limits of tasks: slots are sets of running tasks, rates are GCRA in whole microseconds (core/limit-rules.ts).

-- A rule of a task, as it is stored: { name, max, count, perMs }, false for none.
local RULE_NAME, RULE_MAX, RULE_COUNT, RULE_PER_MS = 1, 2, 3, 4

-- By name: what is configured, the slots that are taken, the time at which all tokens are back.
local limitsSeen = {}
-- Rules of tasks by their ids; names of limits whose slot somebody had missed and this call has freed.
local rulesOf, freed = {}, {}

local function slotsKey(name)
  return 'slots:' .. redis.sha1hex(name)
end

-- Reads the rules of those of the tasks that have any.
local function loadRules(ids)
  if #ids == 0 then return end
  for i, text in ipairs(call('HMGET', prefix .. 'rules', unpack(ids))) do
    rulesOf[ids[i]] = text and cjson.decode(text) or nil
  end
end

local function limitOf(name)
  local limit = limitsSeen[name]
  if limit then return limit end
  local text = call('HGET', prefix .. 'limits', name)
  local settings = text and cjson.decode(text) or { false, false, false }
  limit = {
    max = settings[1], count = settings[2], perMs = settings[3], isClosed = false,
    tat = tonumber(call('HGET', prefix .. 'tats', name)) or 0,
    held = call('SCARD', prefix .. slotsKey(name)),
  }
  limitsSeen[name] = limit
  return limit
end

-- The rate in force and its interval in microseconds; nil without one.
local function rateOf(limit, rule)
  local count, perMs = limit.count or rule[RULE_COUNT], limit.count and limit.perMs or rule[RULE_PER_MS]
  if count then return count, math.ceil(perMs * 1000 / count) end
end

local function hasToken(limit, rule)
  local count, interval = rateOf(limit, rule)
  return not count or math.ceil((limit.tat - (count - 1) * interval) / 1000) <= now
end

-- Whether a task may run. A limit found full is closed for the rest of the call.
local function hasRoom(rules)
  for _, rule in ipairs(rules) do
    if limitOf(rule[RULE_NAME]).isClosed then return false end
  end
  local isFree = true
  for _, rule in ipairs(rules) do
    local name = rule[RULE_NAME]
    local limit = limitOf(name)
    local max = limit.max or rule[RULE_MAX]
    if max and limit.held >= max then
      set(members, 'missed', name, true)
      freed[name] = nil
      limit.isClosed = true
    end
    if not hasToken(limit, rule) then limit.isClosed = true end
    if limit.isClosed then isFree = false end
  end
  return isFree
end

local function takeSlots(id, rules)
  for _, rule in ipairs(rules) do
    local name = rule[RULE_NAME]
    local limit = limitOf(name)
    set(members, slotsKey(name), id, true)
    limit.held = limit.held + 1
    local count, interval = rateOf(limit, rule)
    if count then
      limit.tat = math.max(limit.tat, now * 1000) + interval
      set(puts, 'tats', name, string.format('%.0f', limit.tat))
    end
  end
end

-- Frees the slots of a run that ends. Those that a claim has missed are told.
local function leaveSlots(id, rules)
  for _, rule in ipairs(rules) do
    local name = rule[RULE_NAME]
    set(members, slotsKey(name), id, false)
    if call('SISMEMBER', prefix .. 'missed', name) == 1 then
      set(members, 'missed', name, false)
      freed[name] = true
    end
  end
end
