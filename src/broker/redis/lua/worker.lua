-- What is known of processes, and how one is forgotten. By their ids: `presences` and `definitions` have what they say about
-- themselves, `stacks` their last answer behind its time, `commands` what waits to be heard, a JSON list of [id, subject, command],
-- `lastCommands` the highest id that a command ever had.

local workerHashes = { 'presences', 'definitions', 'firstBeats', 'commands', 'lastCommands', 'stacks' }

local function forgetWorker(workerId)
  for _, name in ipairs(workerHashes) do
    set(puts, name, workerId, false)
  end
  set(scores, 'beats', workerId, false)
  set(scores, 'servers', workerId, false)
end

-- The commands that wait for a process.
local function commandsFor(workerId)
  local text = call('HGET', prefix .. 'commands', workerId)
  return text and cjson.decode(text) or {}
end

local function setCommands(workerId, commands)
  set(puts, 'commands', workerId, #commands > 0 and cjson.encode(commands))
end

-- What those who have beaten after `beatAt` have said: id, time of the last beat, presence, definitions, time of the first beat,
-- commands, stack, … Nothing of it is false: what is not there is an empty text.
local function workersSince(beatAt)
  local found, told = call('ZRANGE', prefix .. 'beats', beatAt, '+inf', 'BYSCORE', 'WITHSCORES'), {}
  for i = 1, #found, 2 do
    told[#told + 1], told[#told + 2] = found[i], found[i + 1]
    for _, name in ipairs({ 'presences', 'definitions', 'firstBeats', 'commands', 'stacks' }) do
      told[#told + 1] = call('HGET', prefix .. name, found[i]) or ''
    end
  end
  return told
end
