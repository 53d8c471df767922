#!lua flags=allow-oom
-- remove: finished tasks go, with all they left, and the keys they kept.
--
-- ARGV[2] ids. Answers a word for each: "removed", "already" and the state, "unknown".

local function removeOne(id)
  local task = tasks[id]
  if not task then return 'unknown' end
  if not isFinished(task[STATE]) then return 'already ' .. task[STATE] end
  if call('HEXISTS', prefix .. 'releasing', id) == 1 then
    -- Nobody could tell its children later how it ended.
    edges.left, edges.ended[#edges.ended + 1] = 2 ^ 31, id
    release()
  end
  freeKey(id, task)
  erase('remove', id, task)
  return 'removed'
end

return function()
  local ids, answers = words(ARGV[2]), {}
  load(ids, true)
  for i, id in ipairs(ids) do
    answers[i] = removeOne(id)
  end
  release()
  write()
  return answers
end
