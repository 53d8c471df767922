-- What is known of a process, and how it is forgotten.

local function forgetWorker(workerId)
  for _, name in ipairs({ 'presences', 'definitions', 'firstBeats' }) do
    set(puts, name, workerId, false)
  end
  set(scores, 'beats', workerId, false)
  set(scores, 'servers', workerId, false)
end
