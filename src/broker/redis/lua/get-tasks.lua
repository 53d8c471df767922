#!lua flags=no-writes
-- getTasks: tasks as they are now.
--
-- ARGV[2] ids. Answers those that are known, see describe.

return function()
  local ids = words(ARGV[2])
  crowdsOf(ids, nil, true)
  return describe(ids)
end
