#!lua flags=allow-oom
-- schedules.delete and schedules.pause.
--
-- ARGV[2] names, a JSON list, ARGV[3] "delete", "pause" or "resume", ARGV[4] who pauses and why: JSON, opaque
-- Answers 1 for each that is there, else 0.

return function()
  local names, answers = cjson.decode(ARGV[2]), {}
  schedules.load(names)
  for i, name in ipairs(names) do
    local schedule = schedules.found[name]
    answers[i] = schedule and 1 or 0
    if schedule then
      events.configure = {}
      if ARGV[3] == 'delete' then
        schedules.drop(name)
      else
        schedule[S_PAUSE] = ARGV[3] == 'pause' and string.format('%.0f ', now) .. ARGV[4]
        schedules.store(name, schedule)
      end
    end
  end
  write()
  return answers
end
