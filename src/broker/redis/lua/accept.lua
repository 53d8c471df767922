-- The tasks of a call, on their way in; nothing is written yet.
--
-- ARGV[2] forms, ARGV[3] ids with spaces between, or as a JSON list, ARGV[4] the form of each, nothing when there is one, or "=" when there is one,
-- no extra, and the ids ascend, ARGV[5] extras, ARGV[6 …] payloads: see arrive.lua
-- Answers the letters and the others of arrive.lua, or what the call answers in their place.

local formsRead, formsReadCount = {}, 0

function anew.accept()
  if formsReadCount > TEXTS_KEPT then formsRead, formsReadCount = {}, 0 end
end

local function readForms(text)
  local forms = formsRead[text]
  if not forms then
    forms = cjson.decode(text)
    formsRead[text], formsReadCount = forms, formsReadCount + 1
  end
  return forms
end

-- With spaces between, as events have them.
local spacedFormats
local function readIds(text)
  if text == '' then return {} end
  if string.byte(text) == 91 then return cjson.decode(text) end
  spacedFormats = spacedFormats or string.rep('xc' .. ID_LENGTH, IDS_MAX)
  local size = (#text + 1) / (ID_LENGTH + 1)
  if size > IDS_MAX then return words(text) end
  local ids = { struct.unpack(string.sub(spacedFormats, 2, 4 * size), text) }
  ids[size + 1] = nil
  return ids
end

local function accept()
  local full = outboxIsFull()
  if full then return nil, nil, full end
  local batch = { forms = readForms(ARGV[2]), ids = readIds(ARGV[3]), formOf = ARGV[4] == '=' and arrivals.nobody or words(ARGV[4]), extras = {}, offset = 5, unknown = 'refuse' }
  for _, extra in ipairs(ARGV[5] == '[]' and arrivals.nobody or cjson.decode(ARGV[5])) do
    batch.extras[extra[1]] = extra
  end
  local letters, others, refusal = arrivals.store(batch)
  if refusal then return nil, nil, { 'refused', refusal } end
  release()
  return letters, others
end
