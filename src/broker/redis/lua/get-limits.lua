#!lua flags=no-writes
-- getLimits: the limits of tasks that are configured or held, by name.
--
-- ARGV[2] the first name or nothing, ARGV[3] how many at most. Answers names, what is configured for each, how many hold it.

return function()
  local names, held = call('ZRANGE', prefix .. 'limitNames', '[' .. ARGV[2], '+', 'BYLEX', 'LIMIT', 0, ARGV[3]), {}
  for i, name in ipairs(names) do
    held[i] = call('SCARD', prefix .. slotsKey(name))
  end
  return { names, #names > 0 and call('HMGET', prefix .. 'limits', unpack(names)) or {}, held }
end
