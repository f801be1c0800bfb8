-- promote lets on what is held, for want of traffic, say; what is bad is refused. hold keeps the candidate on trial until
-- it is promoted or rejected; one that turns bad is taken back all the same. reject takes the release on trial back, and
-- keeps it out; with none on trial the one that serves, for the one before it. `gate` says which.
local os = require("os")
local rollout = {}
if obj.status ~= nil and obj.status.rollout ~= nil then
  rollout = obj.status.rollout
end
local release = rollout.candidate
if release == nil and gate == "reject" then
  release = rollout.stable
end
if release == nil then
  return obj
end
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["devshelf.dev/" .. gate] = release.hash .. " " .. os.date("!%Y-%m-%dT%XZ")
return obj
