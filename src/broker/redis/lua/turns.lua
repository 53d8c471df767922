-- Whose turn it is among the groups of a queue (core/turns.ts). A group is known in a queue from its first task on until nothing is queued
-- there: `rounds` has how far the queue has come, `queue:<name>:turns` where each group stands (the tasks without one under an
-- empty name), `…:standing` those with queued tasks, in the order of their turns: the time since when is before the name,
-- as what decides between equal turns; `…:group:<name>` the queued tasks of one, `…:grouped` those of all by age. `groups` has
-- what is configured for a name in all queues: [weight, pause], false for none. A paused group stands in no line.

local turns = { rounds = {}, stands = {}, deltas = {}, base = {}, touched = {}, settings = {}, claimedFrom = {} }
local TURN_PRICE = 10080

-- User-chosen names enter key names hashed.
local queueKeys = {}
local function queueKey(name)
  local key = queueKeys[name]
  if not key then
    key = 'queue:' .. redis.sha1hex(name)
    queueKeys[name] = key
  end
  return key
end

-- The tasks of one group of a queue, or those without one.
local groupKeys = {}
local function lineKey(queue, group)
  if not group or group == '' then return queueKey(queue) end
  local key = groupKeys[group]
  if not key then
    key = ':group:' .. redis.sha1hex(group)
    groupKeys[group] = key
  end
  return queueKey(queue) .. key
end

-- How far the queue has come; nil while it has no groups.
function turns.roundOf(queue)
  local round = turns.rounds[queue]
  if round == nil then
    round = tonumber(call('HGET', prefix .. 'rounds', queue)) or false
    turns.rounds[queue] = round
  end
  return round or nil
end

-- Where a group stands: { turn, since }; nil when it is not known.
function turns.standOf(queue, group)
  local name = queue .. '\0' .. group
  local stand = turns.stands[name]
  if stand == nil then
    local text = turns.roundOf(queue) and call('HGET', prefix .. queueKey(queue) .. ':turns', group)
    stand = text and words(text) or false
    if stand then stand[1], stand[2] = tonumber(stand[1]), tonumber(stand[2]) end
    turns.stands[name] = stand
  end
  return stand or nil
end

local function memberOf(group, stand)
  return string.format('%016.0f', stand[2]) .. group
end

-- A group changes its place: the old one is given up at the end.
function turns.touch(queue, group)
  if group == '' then return end
  local name = queue .. '\0' .. group
  if turns.touched[name] then return end
  local stand = turns.standOf(queue, group)
  turns.touched[name] = { queue, group, stand and memberOf(group, stand) or false }
end

function turns.moveTo(queue, group, turn, since)
  turns.touch(queue, group)
  turns.stands[queue .. '\0' .. group] = { turn, since }
  set(puts, queueKey(queue) .. ':turns', group, string.format('%.0f %.0f', turn, since))
end

local function setRound(queue, turn)
  turns.rounds[queue] = turn
  set(puts, 'rounds', queue, string.format('%.0f', turn))
end

-- Who waits is asked anew from here on.
function turns.lookAgain()
  turns.base = {}
  for key, delta in pairs(turns.deltas) do
    turns.base[key] = delta
  end
end

-- A task was queued: a group of which none was queued before begins, at the earliest, where its queue is.
function turns.join(queue, group, id, dueAt)
  set(scores, queueKey(queue) .. ':grouped', id, dueAt)
  local key = lineKey(queue, group)
  turns.touch(queue, group)
  if call('ZCARD', prefix .. key) + (turns.base[key] or 0) == 0 then
    if not turns.roundOf(queue) then
      setRound(queue, 0)
      turns.moveTo(queue, '', 0, 0)
    end
    local own = turns.standOf(queue, group)
    turns.moveTo(queue, group, math.max(own and own[1] or 0, turns.roundOf(queue)), now)
  end
  turns.deltas[key] = (turns.deltas[key] or 0) + 1
end

function turns.left(queue, group, id)
  set(scores, queueKey(queue) .. ':grouped', id, false)
  local key = lineKey(queue, group)
  turns.touch(queue, group)
  turns.deltas[key] = (turns.deltas[key] or 0) - 1
end

-- What is configured for a group. Mostly nothing is for any, which is one question a call.
function turns.settingsOf(group)
  local settings = turns.settings[group]
  if not settings then
    if turns.isAnySet == nil then turns.isAnySet = call('EXISTS', prefix .. 'groups') == 1 end
    local text = turns.isAnySet and call('HGET', prefix .. 'groups', group)
    settings = text and cjson.decode(text) or { false, false }
    turns.settings[group] = settings
  end
  return settings
end

-- Counts a claimed task against its group; answers where that stands now.
function turns.serve(queue, group)
  local own = turns.standOf(queue, group)
  local start = math.max(turns.roundOf(queue), own and own[1] or 0)
  local price = group == '' and TURN_PRICE or math.floor(TURN_PRICE / (turns.settingsOf(group)[1] or 1) + 0.5)
  setRound(queue, start)
  turns.moveTo(queue, group, start + math.max(1, price), now)
  return turns.standOf(queue, group)
end

-- After the tasks were written: groups stand in line while they have queued tasks, and once nothing is queued at all
-- there is nothing to be fair about.
function turns.write()
  for _, touched in pairs(turns.touched) do
    local queue, group, before = touched[1], touched[2], touched[3]
    local line, stand = prefix .. queueKey(queue) .. ':standing', turns.standOf(queue, group)
    local stands = stand and not turns.settingsOf(group)[2] and call('EXISTS', prefix .. lineKey(queue, group)) == 1
    local member = stands and memberOf(group, stand)
    if before and before ~= member then call('ZREM', line, before) end
    if member then call('ZADD', line, stand[1], member) end
  end
  for queue in pairs(turns.claimedFrom) do
    local key = prefix .. queueKey(queue)
    if turns.roundOf(queue) and call('EXISTS', key, key .. ':grouped') == 0 then
      call('HDEL', prefix .. 'rounds', queue)
      call('UNLINK', key .. ':turns')
    end
  end
  turns.touched, turns.deltas, turns.base, turns.stands, turns.claimedFrom = {}, {}, {}, {}, {}
end
