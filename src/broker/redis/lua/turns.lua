-- Whose turn it is among the groups of a queue (core/turns.ts). A group is known in a queue from its first task on until nothing is queued
-- there: `rounds` has how far the queue has come, `queue:<name>:turns` where each group stands (the tasks without one under an
-- empty name), `…:standing` those with queued tasks, in the order of their turns: the time since when is before the name,
-- as what decides between equal turns; `…:group:<name>` the queued tasks of one, `…:grouped` those of all by age. `groups` has
-- what is configured for a name in all queues: [weight, pause], false for none. A paused group stands in no line.

-- `entries` is by queue and group what this call knows of a group there: { queue, group, turn, since, isRead, member, before, size, seen, delta,
-- base, isMoved }; no turn when it is not known, `member` as in `standing`, `before` as it was there before the call, true when it leaves its place with others, `size` how many of it were queued before the call, `seen` how
-- many of these a claim has read, `delta` how many came and left, `base` the delta when that was last looked at. `touched` are by queue those that may
-- change their places, `cuts` how many of the first ones of a queue leave theirs; `begun` are queues without groups before, `bare` those where none
-- stands before the new ones do.
-- Redis keeps what few groups are in as a list and looks through it for each of them, unless a word as long as `wide` has ever been there.
local turns = { nothingSet = { false, false }, wide = '~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~' }
local TURN_PRICE = 10080

-- Keys of queues and of their groups are kept from one call to the next, as far as a server may lose them without a thought: a third of
-- the work to find the line of a group.
local KEYS_KEPT = 10000
local queueKeys, lineKeys, keyCount = {}, {}, 0

function anew.turns()
  if keyCount > KEYS_KEPT then queueKeys, lineKeys, keyCount = {}, {}, 0 end
  turns.rounds, turns.entries, turns.touched = fresh(turns.rounds), fresh(turns.entries), fresh(turns.touched)
  turns.settings, turns.claimedFrom, turns.sinceTexts = fresh(turns.settings), fresh(turns.claimedFrom), fresh(turns.sinceTexts)
  turns.cuts, turns.begun, turns.bare = fresh(turns.cuts), fresh(turns.begun), fresh(turns.bare)
  turns.isAnySet = nil
end

-- User-chosen names enter key names hashed.
local function queueKey(name)
  local key = queueKeys[name]
  if not key then
    key = 'queue:' .. redis.sha1hex(name)
    queueKeys[name], keyCount = key, keyCount + 1
  end
  return key
end

-- The tasks of one group of a queue, or those without one.
local function lineKey(queue, group)
  if not group or group == '' then return queueKey(queue) end
  local ofQueue = lineKeys[queue]
  if not ofQueue then
    ofQueue = {}
    lineKeys[queue] = ofQueue
  end
  local key = ofQueue[group]
  if not key then
    key = queueKey(queue) .. ':group:' .. redis.sha1hex(group)
    ofQueue[group], keyCount = key, keyCount + 1
  end
  return key
end

do
  -- Of the last namespace, and of no group that is not in `lineKeys`.
  local keys, keysPrefix, keysKept = {}, nil, nil

  -- The line of a group as it is called in Redis.
  function turns.keyOf(queue, group)
    if keysPrefix ~= prefix or keysKept ~= lineKeys then keys, keysPrefix, keysKept = {}, prefix, lineKeys end
    local ofQueue = keys[queue]
    if not ofQueue then
      ofQueue = {}
      keys[queue] = ofQueue
    end
    local key = ofQueue[group]
    if not key then
      key = prefix .. lineKey(queue, group)
      ofQueue[group] = key
    end
    return key
  end
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

-- All fields that an entry may have, so that its table never grows.
function turns.entryOf(queue, group)
  local ofQueue = turns.entries[queue]
  if not ofQueue then
    ofQueue = {}
    turns.entries[queue] = ofQueue
  end
  local entry = ofQueue[group]
  if not entry then
    entry = { queue = queue, group = group, turn = nil, since = nil, isRead = false, before = nil, member = nil, size = nil, seen = 0, delta = 0, base = 0, isMoved = false }
    ofQueue[group] = entry
  end
  return entry
end

-- Where a group stands is read when it is asked for.
function turns.read(queue, group)
  local entry = turns.entryOf(queue, group)
  if entry.isRead then return entry end
  entry.isRead = true
  local text = turns.roundOf(queue) and call('HGET', prefix .. queueKey(queue) .. ':turns', group)
  if text then
    local turn, since = string.match(text, '(%d+) (%d+)')
    entry.turn, entry.since = tonumber(turn), tonumber(since)
    entry.member = turns.memberOf(group, entry.since)
  end
  return entry
end

-- Many stand since the same time. Whole numbers are written as such: with %.0f it takes twice as long.
function turns.sinceText(since)
  local text = turns.sinceTexts[since] or string.format('%016d', since)
  turns.sinceTexts[since] = text
  return text
end

function turns.memberOf(group, since)
  return turns.sinceText(since) .. group
end

-- A group changes its place: the old one is given up at the end.
function turns.touch(queue, group)
  local entry = turns.read(queue, group)
  if entry.before == nil then
    entry.before = group ~= '' and entry.member or false
    local list = turns.touched[queue]
    if list then list[#list + 1] = entry else turns.touched[queue] = { entry } end
  end
  return entry
end

function turns.moveTo(entry, turn, since)
  entry.turn, entry.since, entry.member, entry.isMoved = turn, since, turns.memberOf(entry.group, since), true
end

-- Who waits is asked anew from here on.
function turns.lookAgain()
  for _, entries in pairs(turns.touched) do
    for _, entry in ipairs(entries) do
      entry.base = entry.delta
    end
  end
end

-- So many tasks of a group were queued: one of which none was queued before begins, at the earliest, where its queue is. Others stand
-- where they stood.
function turns.join(queue, group, count)
  local entry = turns.entryOf(queue, group)
  entry.size = entry.size or call('ZCARD', turns.keyOf(queue, group))
  if entry.size + entry.base == 0 then
    turns.touch(queue, group)
    if not turns.roundOf(queue) then
      turns.rounds[queue], turns.begun[queue], turns.bare[queue] = 0, true, true
      turns.moveTo(turns.touch(queue, ''), 0, 0)
    end
    turns.moveTo(entry, math.max(entry.turn or 0, turns.roundOf(queue)), now)
  end
  entry.delta = entry.delta + count
end

function turns.left(queue, group, count)
  local entry = turns.touch(queue, group)
  entry.delta = entry.delta - count
end

-- What is configured for a group. Mostly nothing is for any, which is one question a call.
function turns.settingsOf(group)
  local settings = turns.settings[group]
  if settings then return settings end
  if turns.isAnySet == nil then turns.isAnySet = call('EXISTS', prefix .. 'groups') == 1 end
  if not turns.isAnySet then return turns.nothingSet end
  local text = call('HGET', prefix .. 'groups', group)
  settings = text and cjson.decode(text) or turns.nothingSet
  turns.settings[group] = settings
  return settings
end

-- Counts a claimed task against the group of its line, which gets its new turn and member, and answers them; `since` is the time of the call as a text. A claim looks
-- at what was written: of its queue it has touched nothing but the tasks without a group.
function turns.serve(line, since)
  local rounds, queue, group, turn, price = turns.rounds, line.queue.name, line.group or '', line.turn, TURN_PRICE
  local weight = turns.isAnySet ~= false and group ~= '' and turns.settingsOf(group)[1]
  if weight then price = math.max(1, math.floor(TURN_PRICE / weight + 0.5)) end
  if turn < rounds[queue] then turn = rounds[queue] else rounds[queue] = turn end
  local entry, before = line.entry, line.member
  turn = turn + price
  if entry and entry.isMoved then
    line.turn, entry.turn, entry.delta = turn, turn, entry.delta - 1
    return turn, before
  end
  local member = since .. group
  line.turn, line.member = turn, member
  if entry then
    entry.turn, entry.since, entry.member, entry.isMoved, entry.delta = turn, now, member, true, entry.delta - 1
  else
    entry = {
      queue = queue, group = group, turn = turn, since = now, isRead = true, before = before, member = member, size = nil, seen = #line.ids,
      delta = -1, base = 0, isMoved = true,
    }
    local list = turns.touched[queue]
    turns.entries[queue][group], list[#list + 1], line.entry = entry, entry, entry
  end
  return turn, member
end

-- Groups stand in line while they have queued tasks, unless they are paused. Mostly the call has seen more of them than left.
function turns.isStanding(entry)
  local group = entry.group
  if group == '' or not entry.turn or (turns.isAnySet ~= false and turns.settingsOf(group)[2]) then return false end
  return (entry.size or entry.seen) + entry.delta > 0 or call('EXISTS', turns.keyOf(entry.queue, group)) == 1
end

-- What changes in one queue: fields of `turns`, members of `standing`; and the names of the lines that nobody stands in any more.
-- The last comes first: where few stand, Redis looks through them from the front, and finds the place of each at once.
function turns.changesOf(entries)
  local fields, gone, standing, left, n, m = {}, {}, {}, {}, 0, 0
  local lastTurn, lastSince, turnText, text
  for i = #entries, 1, -1 do
    local entry = entries[i]
    local turn, since, before, member = entry.turn, entry.since, entry.before, turns.isStanding(entry) and entry.member
    if turn and (turn ~= lastTurn or since ~= lastSince) then
      lastTurn, lastSince, turnText = turn, since, string.format('%d', turn)
      text = since and turnText .. ' ' .. turns.sinceText(since)
    end
    if entry.isMoved then
      fields[n + 1], fields[n + 2], n = entry.group, text, n + 2
    end
    if before and before ~= true and before ~= member then gone[#gone + 1] = before end
    if member then
      standing[m + 1], standing[m + 2], m = turnText, member, m + 2
    elseif before then
      left[#left + 1] = entry.queue .. '\0' .. entry.group
    end
  end
  return fields, gone, standing, left
end

-- `first` is put before the others into what is not there yet, and taken out behind them.
function turns.put(command, undo, name, values, first)
  if first then call(command, prefix .. name, unpack(first)) end
  variadic(command, name, values)
  if first then call(undo, prefix .. name, turns.wide) end
end

-- After the tasks were written. Once nothing is queued at all there is nothing to be fair about.
function turns.write()
  for queue, entries in pairs(turns.touched) do
    local key, cut = queueKey(queue), turns.cuts[queue]
    local fields, gone, standing, left = turns.changesOf(entries)
    if #fields > 0 then
      call('HSET', prefix .. 'rounds', queue, string.format('%.0f', turns.roundOf(queue)))
      turns.put('HSET', 'HDEL', key .. ':turns', fields, turns.begun[queue] and { turns.wide, '' })
    end
    if cut then call('ZREMRANGEBYRANK', prefix .. key .. ':standing', 0, cut - 1) end
    if #gone > 0 then variadic('ZREM', key .. ':standing', gone) end
    if #standing > 0 then turns.put('ZADD', 'ZREM', key .. ':standing', standing, turns.bare[queue] and { '0', turns.wide }) end
    -- No claim reads such a line again, and so none would forget where the last one stopped in it.
    if #left > 0 and call('EXISTS', prefix .. 'cursors') == 1 then variadic('HDEL', 'cursors', left) end
  end
  for queue in pairs(turns.claimedFrom) do
    local key = prefix .. queueKey(queue)
    if turns.roundOf(queue) and call('EXISTS', key, key .. ':grouped', key .. ':packs') == 0 then
      call('HDEL', prefix .. 'rounds', queue)
      call('UNLINK', key .. ':turns')
    end
  end
  turns.entries, turns.touched, turns.claimedFrom = fresh(turns.entries), fresh(turns.touched), fresh(turns.claimedFrom)
  turns.cuts, turns.begun, turns.bare = fresh(turns.cuts), fresh(turns.begun), fresh(turns.bare)
end
