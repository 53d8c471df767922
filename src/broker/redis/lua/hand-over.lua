#!lua
-- handOver: stores new tasks as enqueue does, and behind them claims for a worker that waits.
--
-- ARGV[2 …] as accept.lua takes them, and the last one the claim as JSON, see claim.lua
-- Answers as enqueue, what a claim answers, and whether that is a repetition.

return function()
  local letters, others, refusal = accept()
  if refusal then return refusal end
  -- The claim looks for tasks where these have just been put.
  writeTasks()
  local claimed = claim(cjson.decode(ARGV[#ARGV]))
  write()
  return { letters, others, signals(), answerOf(claimed), claimed.isRepeated and 1 or 0 }
end
