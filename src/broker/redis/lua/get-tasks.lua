#!lua flags=no-writes
-- getTasks: tasks as they are now.
--
-- ARGV[2] ids. Answers those that are known, see describe.

return describe(words(ARGV[2]))
