#!lua flags=no-writes
-- schedules.get: those of these names, a JSON list in ARGV[2]; see schedule.lua.

return function()
  return schedules.tell(cjson.decode(ARGV[2]))
end
