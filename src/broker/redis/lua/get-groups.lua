#!lua flags=no-writes
-- getGroups: what is configured for groups, by name.
--
-- ARGV[2] the first name or nothing, ARGV[3] how many at most. Answers names, and of each [weight, pause] as JSON.

return function()
  local names = call('ZRANGE', prefix .. 'groupNames', '[' .. ARGV[2], '+', 'BYLEX', 'LIMIT', 0, ARGV[3])
  return { names, #names > 0 and call('HMGET', prefix .. 'groups', unpack(names)) or {} }
end
