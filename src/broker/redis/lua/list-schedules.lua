#!lua flags=no-writes
-- schedules.list: those behind the name ARGV[2], an empty one comes before all, at most ARGV[3]; see schedule.lua.

return function()
  return schedules.tell(call('ZRANGE', prefix .. 'scheduleNames', '(' .. ARGV[2], '+', 'BYLEX', 'LIMIT', 0, ARGV[3]))
end
