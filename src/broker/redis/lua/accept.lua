-- The tasks of a call, on their way in; nothing is written yet.
--
-- ARGV[2] forms, ARGV[3] ids, see idList, ARGV[4] the form of each, or nothing when there is one, ARGV[5] extras, ARGV[6 …] payloads: see arrive.lua
-- Answers the letters and the others of arrive.lua, or what the call answers in their place.

local function accept()
  local full = outboxIsFull()
  if full then return nil, nil, full end
  local batch = { forms = cjson.decode(ARGV[2]), ids = idList(ARGV[3]), formOf = words(ARGV[4]), extras = {}, offset = 5, unknown = 'refuse' }
  for _, extra in ipairs(cjson.decode(ARGV[5])) do
    batch.extras[extra[1]] = extra
  end
  local letters, others, refusal = arrivals.store(batch)
  if refusal then return nil, nil, { 'refused', refusal } end
  release()
  return letters, others
end
