-- Which actions are of use now. rotate-key, promote, hold and reject are requests that are in no Git repository, so no
-- sync undoes them. The others write the spec: with self-heal, Argo CD puts back what Git says.
local paused = obj.spec.paused == true
local rejected = false
local held = false
local stage = nil
local tried = nil
local serves = nil
if obj.status ~= nil then
  if obj.status.stage ~= nil then
    stage = obj.status.stage.name
  end
  if obj.status.rollout ~= nil then
    tried = obj.status.rollout.candidate
    serves = obj.status.rollout.stable
  end
  for _, condition in ipairs(obj.status.conditions or {}) do
    if condition.type == "Stalled" and condition.status == "True" and condition.reason == "ReleaseRejected" then
      rejected = true
    end
    -- what is bad is promoted from the command line only: kubectl devshelf promote --despite-evidence
    local bad = obj.status.analysis ~= nil and obj.status.analysis.verdict == "Bad"
    local waits = condition.reason == "InsufficientTraffic" or condition.reason == "Blind" or condition.reason == "Held"
    if condition.type == "Stalled" and condition.status == "True" and waits and not bad then
      held = true
    end
  end
end
return {
  ["retry"] = { ["disabled"] = not rejected },
  ["pause"] = { ["disabled"] = paused },
  ["resume"] = { ["disabled"] = not paused },
  ["promote"] = { ["disabled"] = tried == nil or not held or paused },
  ["hold"] = { ["disabled"] = tried == nil or (stage ~= "Candidate" and stage ~= "Analysis") },
  ["reject"] = { ["disabled"] = (tried == nil and serves == nil) or stage == "RollingBack" },
  ["rotate-key"] = { ["disabled"] = false },
}
