#!lua flags=allow-oom
-- claim: queued → running under the caller's token, in order of priority and age.
--
-- ARGV[2] the request as JSON: { token, workerId, leaseMs, limit, queues: [[name, limit]] }
-- Answers now, and the tasks, see describe.

local ids, leaseUntil = claim(cjson.decode(ARGV[2]))
write()
return { now, describe(ids, leaseUntil) }
