// What every builder needs to know about the resource it builds for.
import type { AppKind, AppResource, DevShelfDeployment } from '../api/resource.ts';
import { type Component, LABELS, MANAGED_BY, SERVING } from './names.ts';

/** One of the two custom resources, parsed, defaults filled in. */
export type App = AppResource;

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller: boolean;
  blockOwnerDeletion: boolean;
}

export interface ObjectMeta {
  name: string;
  namespace: string;
  labels: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences: OwnerReference[];
}

/** A child object as it is applied: exactly the fields that this operator owns. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  [field: string]: unknown;
}

const COMPONENT_NAMES: Readonly<Record<AppKind, 'devshelf' | 'dashboard'>> = {
  DevShelfDeployment: 'devshelf',
  DashboardDeployment: 'dashboard',
};

const PORTS: Readonly<Record<AppKind, number>> = { DevShelfDeployment: 8000, DashboardDeployment: 8080 };

/** Value of `app.kubernetes.io/name`. */
export const componentName = (kind: AppKind): 'devshelf' | 'dashboard' => COMPONENT_NAMES[kind];

/** The port that the container listens on, and finds in PORT. */
export const containerPort = (kind: AppKind): number => PORTS[kind];

export function isDevShelf(app: App): app is DevShelfDeployment {
  return app.kind === 'DevShelfDeployment';
}

/** Deleting the custom resource deletes the child, and nobody else may be its controller. */
export function ownerReference(app: App): OwnerReference {
  const { apiVersion, kind, metadata } = app;
  return { apiVersion, kind, name: metadata.name, uid: metadata.uid, controller: true, blockOwnerDeletion: true };
}

/** Selects every pod of this resource, whatever it does. */
export function instanceLabels(app: App): Record<string, string> {
  return { [LABELS.name]: componentName(app.kind), [LABELS.instance]: app.metadata.name };
}

/** The same as a query: of everything that belongs to one resource. */
export const instanceSelector = (kind: AppKind, name: string): string =>
  `${LABELS.instance}=${name},${LABELS.name}=${componentName(kind)}`;

/** Selects the pods that take users' requests. It is the Deployment's selector too, so it can never change. */
export function servingLabels(app: App): Record<string, string> {
  return { ...instanceLabels(app), [LABELS.role]: SERVING };
}

/** Labels of a child. None is copied from the custom resource: GitOps tools put their own marks there. */
export function childLabels(app: App, component?: Component): Record<string, string> {
  return {
    ...instanceLabels(app),
    ...(component && { [LABELS.component]: component }),
    [LABELS.managedBy]: MANAGED_BY,
  };
}

/** Metadata of a child that this resource owns. */
export function childMeta(app: App, name: string, labels: Record<string, string> = childLabels(app)): ObjectMeta {
  return { name, namespace: app.metadata.namespace, labels, ownerReferences: [ownerReference(app)] };
}

/** The object without its undefined fields: what is not there is not applied, and not owned. */
export function compact(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
