#!lua
-- enqueue: stores new tasks, each once, one at a time under its key, parents first; and hands them over to who waits for them.
--
-- ARGV[2 …] as accept.lua takes them.
-- Answers the letters and the others of arrive.lua, the signals, and nothing; or "refused" and why; or what plain.lua answers.

-- Whoever hears of it reads what a claim answers. When all was taken, nobody else has to look.
local function tellWaiter(request, claimed, count)
  if #claimed.ids == 0 then return end
  if not claimed.isRepeated and #claimed.ids == count then work[1] = nil end
  redis.pcall('SPUBLISH', standing.channelOf(request), cmsgpack.pack(request.token, answerOf(claimed)))
end

return function()
  local letters, others, refusal = accept()
  if refusal then return refusal end
  local request = standing.first(letters)
  if request then
    local claimed = claimNew(request)
    if not claimed then
      -- The claim looks for tasks where these have just been put.
      writeTasks()
      claimed = claim(request)
    end
    write()
    tellWaiter(request, claimed, #letters)
  else
    write()
  end
  standing.endFor(work)
  return { letters, others, signals() }
end, plain.store
