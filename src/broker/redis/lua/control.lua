#!lua flags=allow-oom
-- control: leaves a command for workers until they have heard it.
--
-- ARGV[2] ids of workers, a JSON list, ARGV[3] what the command is about: it replaces another one about the same, ARGV[4] the
-- command, opaque. Answers the id of the command for each worker, 0 for one that is not known.

return function()
  local subject, waiting, answers = ARGV[3], {}, {}
  for i, workerId in ipairs(cjson.decode(ARGV[2])) do
    if waiting[workerId] == nil then
      local isKnown = call('ZSCORE', prefix .. 'beats', workerId)
      local last = isKnown and tonumber(call('HGET', prefix .. 'lastCommands', workerId) or 0)
      waiting[workerId] = isKnown and { last = last, commands = commandsFor(workerId) }
    end
    local worker = waiting[workerId]
    answers[i] = 0
    if worker then
      local others = {}
      for _, command in ipairs(worker.commands) do
        if command[2] ~= subject then others[#others + 1] = command end
      end
      worker.last = worker.last + 1
      others[#others + 1] = { worker.last, subject, ARGV[4] }
      answers[i], worker.commands = worker.last, others
      setCommands(workerId, others)
      set(puts, 'lastCommands', workerId, worker.last)
      events.control = {}
    end
  end
  write()
  return answers
end
