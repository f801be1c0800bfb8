-- Health of a DevShelfDeployment or DashboardDeployment, from the conditions that the operator keeps as kstatus reads them.
-- Argo CD gives a script no libraries but the basic ones.
--   Degraded     a person is needed: a release was rejected, say. What served before it serves on
--   Progressing  a release is on its way, or no pod is ready
--   Suspended    spec.paused holds a release back
--   Healthy      what the spec asks for serves everybody; in its bake it can still be taken back, and is Degraded then
if obj.metadata.deletionTimestamp ~= nil then
  return { status = "Progressing", message = "is being deleted" }
end
-- a status of an earlier spec proves nothing about this one
if obj.status == nil or obj.status.conditions == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return { status = "Progressing", message = "waiting for the operator" }
end

local by = {}
for _, condition in ipairs(obj.status.conditions) do
  by[condition.type] = condition
end

local function as(status, condition)
  return { status = status, message = condition.reason .. ": " .. condition.message }
end

if by.Stalled ~= nil and by.Stalled.status == "True" then
  return as("Degraded", by.Stalled)
end
if by.Reconciling ~= nil and by.Reconciling.status == "True" then
  if by.Reconciling.reason == "Paused" then
    return as("Suspended", by.Reconciling)
  end
  return as("Progressing", by.Reconciling)
end
if by.Ready == nil then
  return { status = "Progressing", message = "waiting for the operator" }
end
if by.Ready.status == "True" then
  return as("Healthy", by.Ready)
end
return as("Progressing", by.Ready)
