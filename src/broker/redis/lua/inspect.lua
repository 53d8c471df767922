#!lua flags=no-writes
-- inspect: why tasks wait, without a change. What follows from these facts is said outside.
--
-- ARGV[2] ids. Answers the time, the tasks, see describe, the processes that live, see worker.lua, and for each task
--   the pause of its queue, queued tasks ahead of it, its parents, how many of them hold it back, its children, its limits, that of
--   its queue (empty for none), where its group stands

-- id, name, state, and what else is known of each; empty for those who are gone.
local function relatives(ids, letters)
  local list = {}
  edges.load(ids)
  for _, id in ipairs(ids) do
    local task = tasks[id]
    list[#list + 1], list[#list + 2] = id, task and shapes[task[SHAPE]][NAME] or ''
    list[#list + 1] = task and task[STATE] or ''
    if letters then list[#list + 1] = letters[id] or 'd' end
  end
  return list
end

local function first(ids, most)
  return { unpack(ids, 1, math.min(#ids, most)) }
end

-- Those that hold the task back first, then by id.
local function parentsOf(id)
  local ids, letters = {}, edges.all(id)
  for i, dependency in ipairs(edges.dependsOn(id)) do
    ids[i] = dependency[1]
  end
  local function holds(parent)
    return letters[parent] == 'o' or letters[parent] == 'f'
  end
  table.sort(ids, function(a, b)
    if holds(a) ~= holds(b) then return holds(a) end
    return a < b
  end)
  return relatives(first(ids, limits.relativesMax), letters)
end

local function childrenOf(id)
  return relatives((edges.childrenOf(id, nil, limits.relativesMax)))
end

local function aheadOf(id, task)
  if task[STATE] ~= 'queued' then return 0 end
  local queue, group = shapes[task[SHAPE]][QUEUE], groupOf(id)
  local key = prefix .. lineKey(queue, group)
  if group or not packs.areIn(queue) then return call('ZRANK', key, id) end
  local order = orderOf(task)
  local at = numberText(order)
  local ahead = call('ZCOUNT', key, '-inf', '(' .. at) + packs.countBefore(queue, order, id)
  for _, other in ipairs(call('ZRANGEBYSCORE', key, at, at)) do
    if other < id then ahead = ahead + 1 end
  end
  return ahead
end

-- What is configured, when all tokens are back, how many hold it, and the first holders: id, worker, since when, …
local function limitFact(name)
  local ids, holders = call('SMEMBERS', prefix .. slotsKey(name)), {}
  table.sort(ids)
  local held = #ids
  ids = first(ids, limits.holdersMax)
  edges.load(ids)
  for _, id in ipairs(ids) do
    holders[#holders + 1], holders[#holders + 2] = id, tasks[id][WORKER_ID] or ''
    holders[#holders + 1] = tasks[id][CLAIMED_AT]
  end
  local text, tat = call('HGET', prefix .. 'limits', name) or '', call('ZSCORE', prefix .. 'tats', name) or '0'
  return { text, tat, held, holders }
end

local function limitFacts(id)
  local facts = {}
  for i, rule in ipairs(rulesOf[id] or {}) do
    facts[i] = limitFact(rule[RULE_NAME])
  end
  return facts
end

local function isBefore(a, b)
  if a[1] ~= b[1] then return a[1] < b[1] end
  return a[2] < b[2]
end

-- How many groups are served before those who have none, up to a bound: their members begin with the time since when they stand.
local function standingBefore(line, own)
  local before = call('ZCOUNT', line, '-inf', '(' .. string.format('%.0f', own[1]))
  local level = call('ZRANGE', line, own[1], own[1], 'BYSCORE', 'LIMIT', 0, limits.aheadMax)
  for _, member in ipairs(level) do
    if tonumber(string.sub(member, 1, 16)) >= own[2] then break end
    before = before + 1
  end
  return before
end

local function standOf(queue, group)
  local entry = turns.read(queue, group)
  return { entry.turn or 0, entry.since or 0 }
end

-- What is configured for the group, how many are served before it, and the first of them; empty for none, or those without one.
local function turnFact(id, task)
  local queue, group = shapes[task[SHAPE]][QUEUE], groupOf(id) or ''
  local text, isPaused = '', false
  if group ~= '' then
    text, isPaused = call('HGET', prefix .. 'groups', group) or '', turns.settingsOf(group)[2]
  end
  if task[STATE] ~= 'queued' or isPaused or not turns.roundOf(queue) then return { text, 0, '' } end
  local line, own, plain = prefix .. queueKey(queue) .. ':standing', standOf(queue, group), standOf(queue, '')
  local ahead, leader = 0, call('ZRANGE', line, 0, 0, 'WITHSCORES')
  if group == '' then
    ahead = standingBefore(line, own)
    return { text, ahead, ahead > 0 and string.sub(leader[1], 17) or '' }
  end
  ahead = call('ZRANK', line, string.format('%016.0f', own[2]) .. group) or 0
  local name = ahead > 0 and string.sub(leader[1], 17) or ''
  -- Nothing comes before a name.
  if not isBefore(own, plain) and call('EXISTS', prefix .. queueKey(queue), prefix .. packs.keyOf(queue)) > 0 then
    ahead = ahead + 1
    if not isBefore({ tonumber(leader[2]), tonumber(string.sub(leader[1], 1, 16)) }, plain) then name = '' end
  end
  return { text, ahead, name }
end

return function()
  local ids, facts = words(ARGV[2]), {}
  load(ids, true)
  loadRules(ids)
  for _, id in ipairs(ids) do
    local task = tasks[id]
    if task then
      local queue = shapes[task[SHAPE]][QUEUE]
      local pause = gate.readQueue(queue, call('HGET', prefix .. 'queues', queue))
      facts[#facts + 1] = {
        pause, aheadOf(id, task), parentsOf(id), edges.count('waits', id), childrenOf(id), limitFacts(id),
        gate.queueRules[queue] and limitFact(gate.QUEUE_MARK .. queue) or {}, turnFact(id, task),
      }
    end
  end
  return { now, describe(ids), workersSince('(' .. string.format('%.0f', now - limits.presenceMs)), facts }
end
