#!lua flags=allow-oom
-- claim: queued → running under the caller's token, in order of priority and age.
--
-- ARGV[2] the request as JSON: { token, workerId, leaseMs, limit, queues: [[name, limit]] }
-- Answers now, and if there are any, the tasks, see describe, and their parents, see parents.lua. Without rows these are left to who asks: no script reads them
-- as cheaply.

return function()
  packs.mayBeBare = true
  local claimed = claim(cjson.decode(ARGV[2]))
  write()
  return answerOf(claimed)
end
