#!lua flags=no-writes
-- schedules.due: those whose time has come, the earliest first.
--
-- ARGV[2] how many at most. Answers now, when the first of the others is due (-1 for never), and these schedules, see schedule.lua.

return function()
  local most, names, nextDueAt = tonumber(ARGV[2]), {}, -1
  local first = call('ZRANGE', prefix .. 'schedulesDue', 0, most, 'WITHSCORES')
  for i = 1, #first, 2 do
    local dueAt = tonumber(first[i + 1])
    if #names == most or dueAt > now then
      nextDueAt = dueAt
      break
    end
    names[#names + 1] = first[i]
  end
  return { now, nextDueAt, schedules.tell(names) }
end
