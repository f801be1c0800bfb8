-- Asks for another key. Nobody is cut off: the old one is accepted until callers have the new one.
local os = require("os")
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["devshelf.dev/rotate"] = os.date("!%Y-%m-%dT%XZ")
return obj
