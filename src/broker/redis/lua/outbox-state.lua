#!lua flags=no-writes
-- The state of the outbox: the last number, the last one trimmed, and the time of the oldest event, -1 without one.

return function()
  local oldest = call('XRANGE', prefix .. 'events', '-', '+', 'COUNT', 1)[1]
  return { seq, trimmed, oldest and tonumber(oldest[2][2]) or -1 }
end
