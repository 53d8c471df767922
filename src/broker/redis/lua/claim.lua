#!lua flags=allow-oom
-- claim: queued → running under the caller's token, in order of priority and age.
--
-- ARGV[2] the request as JSON: { token, workerId, leaseMs, limit, queues: [[name, limit]] }
-- Answers now, and if there are any, the tasks, see describe, and their parents, see parents.lua.

return function()
  local claimed = claim(cjson.decode(ARGV[2]))
  write()
  return answerOf(claimed)
end
