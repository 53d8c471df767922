#!lua
-- schedules.restore: inserts schedules as they are; one that is known is left alone.
--
-- ARGV[2] a JSON list of [name, what is stored of it], see schedule.lua, ARGV[3 …] definitions
-- Answers how many were new.

return function()
  local given, names, count = cjson.decode(ARGV[2]), {}, 0

  for i, schedule in ipairs(given) do
    names[i] = schedule[1]
  end
  schedules.load(names)
  for i, schedule in ipairs(given) do
    local name, stored = schedule[1], schedule[2]
    if not schedules.found[name] then
      set(puts, 'scheduleTexts', name, ARGV[2 + i])
      schedules.store(name, stored)
      events.configure = {}
      count = count + 1
    end
  end
  write()
  return count
end
