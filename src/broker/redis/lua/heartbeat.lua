#!lua flags=allow-oom
-- heartbeat: extends leases, stores what the runs and the process say, tells of cancel requests and lost leases.
--
-- ARGV[2] id of the process, ARGV[3] what it says about itself (JSON), ARGV[4] its definitions (JSON) or nothing
-- ARGV[5] "stopped", "server" or "worker"
-- ARGV[6] leaseMs, ARGV[7] the beats, a JSON list of [id, token, epoch, ranMs, progress, logs, checkpoints], false for none
-- ARGV[8] the highest id of a command it has heard, ARGV[9] its answer to `stack` (JSON) or nothing
-- Answers now, a letter for each beat (ok, cancel, lost), whether no server is alive, and the commands that wait: id, command, …

local workerId, role, heard, beaten
local BEAT_ID, BEAT_TOKEN, BEAT_EPOCH, BEAT_RAN_MS, BEAT_PROGRESS, BEAT_LOGS, BEAT_CHECKPOINTS = 1, 2, 3, 4, 5, 6, 7

-- Forgets the commands that were heard, and tells the others.
local function hearCommands()
  local waiting, told, left = commandsFor(workerId), {}, {}
  for _, command in ipairs(waiting) do
    if command[1] > heard then
      left[#left + 1] = command
      told[#told + 1], told[#told + 2] = command[1], command[3]
    end
  end
  if #left < #waiting then setCommands(workerId, left) end
  -- A worker that the store forgot remembers what it heard: the next command must be newer than that.
  if heard > 0 and heard > tonumber(call('HGET', prefix .. 'lastCommands', workerId) or 0) then
    set(puts, 'lastCommands', workerId, heard)
  end
  return told
end

-- Answers the commands that wait for the process.
local function storePresence()
  if role == 'stopped' then
    forgetWorker(workerId)
    return {}
  end
  set(puts, 'presences', workerId, ARGV[3])
  set(scores, 'beats', workerId, now)
  set(scores, 'servers', workerId, role == 'server' and now)
  if ARGV[4] ~= '' then set(puts, 'definitions', workerId, ARGV[4]) end
  if ARGV[9] ~= '' then set(puts, 'stacks', workerId, now .. ' ' .. ARGV[9]) end
  if call('HEXISTS', prefix .. 'firstBeats', workerId) == 0 then set(puts, 'firstBeats', workerId, now) end
  return hearCommands()
end

-- A known name keeps its place and takes the new value, so that a repeated beat is harmless.
local function mergeCheckpoints(id, task, fresh)
  local known = string.find(task[ASIDE], 'c', 1, true) and
    (puts.checkpoints and puts.checkpoints[id] or call('HGET', prefix .. 'checkpoints', id))
  local list, places = known and edges.namedLists(known) or {}, {}
  for i, checkpoint in ipairs(list) do
    places[checkpoint[1]] = i
  end
  for _, checkpoint in ipairs(fresh) do
    local i = places[checkpoint[1]] or #list + 1
    places[checkpoint[1]], list[i] = i, checkpoint
  end
  setAside(id, task, 'c', cjson.encode(list))
end

local function storeNews(id, task, beat)
  if beat[BEAT_PROGRESS] then setAside(id, task, 'p', beat[BEAT_PROGRESS]) end
  if beat[BEAT_CHECKPOINTS] then mergeCheckpoints(id, task, beat[BEAT_CHECKPOINTS]) end
  for _, line in ipairs(beat[BEAT_LOGS] or {}) do
    mark(task, 'a')
    push('logs:' .. id, task[EPOCH] .. ' ' .. line)
  end
  if beat[BEAT_PROGRESS] or beat[BEAT_CHECKPOINTS] or beat[BEAT_LOGS] then dirty[id] = task end
end

local function beatOne(beat, seen)
  local id, token = beat[BEAT_ID], beat[BEAT_TOKEN]
  local task = tasks[id]
  if not task or task[TOKEN] ~= token or task[EPOCH] ~= beat[BEAT_EPOCH] then return 'l' end
  if not seen[id] then
    seen[id], beaten[token] = true, beaten[token] or {}
    table.insert(beaten[token], id)
  end
  if not task[STARTED_AT] and beat[BEAT_RAN_MS] then
    task[STARTED_AT] = now - beat[BEAT_RAN_MS]
    dirty[id] = task
    local at = deadlineOf(task)
    if at then set(scores, 'deadlines', id, at) end
  end
  -- Who has just been told that it holds the task must not lose it to a judge who looked before.
  if task[JUDGE_TOKEN] then
    task[JUDGE_TOKEN], task[JUDGE_UNTIL] = false, false
    dirty[id] = task
  end
  storeNews(id, task, beat)
  return task[CANCEL_AT] and 'c' or 'o'
end

return function()
  workerId, role, heard, beaten = ARGV[2], ARGV[5], tonumber(ARGV[8]), {}
  local beats, ids, letters, seen = cjson.decode(ARGV[7]), {}, {}, {}
  for i, beat in ipairs(beats) do
    ids[i] = beat[BEAT_ID]
  end
  load(ids)
  local commands = storePresence()
  for i, beat in ipairs(beats) do
    letters[i] = beatOne(beat, seen)
  end
  leases.extend(beaten, now + tonumber(ARGV[6]))
  write()
  local servers = call('ZCOUNT', prefix .. 'servers', '(' .. string.format('%.0f', now - limits.presenceMs), '+inf')
  return { now, table.concat(letters), servers == 0 and 1 or 0, commands }
end
