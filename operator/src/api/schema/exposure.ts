// Under which names the world reaches the service, and through what.
import * as z from 'zod';
import { type CelRule, namespaceList, objectName, rules, seconds, stringMap } from './kubernetes.ts';

const host = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/);

const tls = z
  .object({
    issuer: z
      .object({
        kind: z.enum(['Issuer', 'ClusterIssuer']).default('Issuer').describe('Kind of the issuer.'),
        name: objectName().describe('Its name.'),
      })
      .optional()
      .describe('cert-manager makes the certificate, by an annotation of the Ingress or ListenerSet.'),
    secretName: objectName()
      .optional()
      .describe('Secret of type kubernetes.io/tls: yours, or the one that the issuer fills. Without it <name>-tls.'),
  })
  .meta(
    rules('The router ends TLS with this certificate.', {
      rule: 'has(self.issuer) || has(self.secretName)',
      message: 'tls needs issuer, secretName or both: where else would the certificate come from',
    }),
  );

const parentRef = z.object({
  name: objectName().describe('Name of the Gateway.'),
  namespace: objectName().optional().describe('Its namespace; without it this one.'),
  sectionName: objectName().optional().describe('Name of one of its listeners; without it all that fit.'),
});

const gateway = z.object({
  parentRefs: z.array(parentRef).min(1).max(8).describe('Gateways that the route attaches to.'),
  httpSection: objectName()
    .optional()
    .describe('Listener for plain HTTP, on which forceHTTPS puts a route that redirects.'),
  httpsPort: z
    .int()
    .min(1)
    .max(65_535)
    .optional()
    .describe('With tls: port of the listeners that hold the certificate; without it 443.'),
  requestTimeoutSeconds: seconds(1, 3600)
    .optional()
    .describe('The router gives up after this time. Not every implementation can; without it its own limit holds.'),
});

export const exposure = z
  .object({
    type: z
      .enum(['None', 'Ingress', 'Gateway'])
      .default('None')
      .describe(
        'None: the service is reached inside the cluster only. Ingress, Gateway: an Ingress, an HTTPRoute is kept; for a Gateway with tls a ListenerSet, too.',
      ),
    hosts: z.array(host).max(16).default([]).meta({
      description:
        'Names by which the service is reached: lower case, no wildcard, no port. One is routed when the release that knows it serves alone.',
      'x-kubernetes-list-type': 'set',
    }),
    tls: tls.optional(),
    forceHTTPS: z
      .boolean()
      .default(false)
      .describe('What came by plain HTTP is redirected: by the dashboard, and where type is Gateway by the router.'),
    hsts: z
      .boolean()
      .default(false)
      .describe('Browsers are told to use HTTPS for two years, subdomains too. That cannot be taken back.'),
    trustedProxies: z
      .array(
        z
          .string()
          .max(64)
          .regex(/^[0-9a-fA-F.:]+(\/[1-9][0-9]{0,2})?$/),
      )
      .max(32)
      .default([])
      .describe('Addresses and networks of the router’s pods: what they say about clients is believed. Never /0.'),
    ingress: z
      .object({
        className: objectName().optional().describe('IngressClass; without it the cluster’s default.'),
        annotations: stringMap(65_536).optional().describe('Further annotations of the Ingress.'),
      })
      .optional()
      .describe('What only an Ingress has.'),
    gateway: gateway.optional().describe('What only a Gateway has.'),
    from: namespaceList([]).describe('Namespaces of the router’s pods: networkPolicy Strict lets them in.'),
  })
  .prefault({})
  .describe('Who reaches the service from outside, and how. It never decides about a release.');

export type Exposure = z.output<typeof exposure>;

/** They stand on the spec: the default of `exposure` is `{}`, on which the API server tries rules of its own. */
export const exposureRules: readonly CelRule[] = [
  {
    rule: "self.exposure.type == 'None' || self.exposure.hosts.size() > 0",
    fieldPath: '.exposure.hosts',
    message: 'exposure needs hosts: without a name it would take everybody’s requests; name one, or set type to None',
  },
  {
    rule: "(self.exposure.type == 'Gateway') == has(self.exposure.gateway)",
    fieldPath: '.exposure.gateway',
    message: 'type Gateway needs gateway.parentRefs, and nothing else has gateway; set both or neither',
  },
  {
    rule: "self.exposure.type == 'Ingress' || !has(self.exposure.ingress)",
    fieldPath: '.exposure.ingress',
    message: 'ingress is for type Ingress; set type to Ingress, or leave it out',
  },
  {
    rule: "self.exposure.type != 'None' || !has(self.exposure.tls)",
    fieldPath: '.exposure.tls',
    message: 'tls is for type Ingress or Gateway; set one of them, or leave it out',
  },
  {
    rule: '!has(self.exposure.tls) || !has(self.exposure.gateway) || (self.exposure.gateway.parentRefs.size() == 1 && !has(self.exposure.gateway.parentRefs[0].sectionName))',
    fieldPath: '.exposure.gateway',
    message:
      'with tls a ListenerSet brings listeners of its own to one Gateway: name one in parentRefs, without sectionName; or leave tls out, and the certificate is that of the Gateway’s listener',
  },
  {
    rule: '!has(self.exposure.gateway) || !has(self.exposure.gateway.httpsPort) || has(self.exposure.tls)',
    fieldPath: '.exposure.gateway.httpsPort',
    message: 'httpsPort is the port of listeners that tls brings: set tls, too, or leave it out',
  },
  {
    rule: "!self.exposure.forceHTTPS || (self.exposure.trustedProxies.size() > 0 && (self.exposure.type == 'Gateway' || has(self.exposure.tls)))",
    fieldPath: '.exposure.forceHTTPS',
    message:
      'forceHTTPS needs trustedProxies (only the router knows how a client came) and a router that ends TLS: tls, or type Gateway',
  },
  {
    rule: '!self.exposure.forceHTTPS || !has(self.exposure.gateway) || (has(self.exposure.gateway.httpSection) && (has(self.exposure.tls) || self.exposure.gateway.parentRefs.all(parent, has(parent.sectionName) && parent.sectionName != self.exposure.gateway.httpSection)))',
    fieldPath: '.exposure.gateway',
    message:
      'forceHTTPS needs gateway.httpSection, and without tls in each of parentRefs a sectionName that is another one: the route must not serve what it redirects',
  },
  {
    rule: "self.networkPolicy != 'Strict' || self.exposure.type == 'None' || self.exposure.from.size() > 0",
    fieldPath: '.exposure.from',
    message: 'networkPolicy Strict shuts the router out, too: name the namespace of its pods in exposure.from',
  },
  {
    rule: "self.networkPolicy != 'Strict' || self.service.type == 'ClusterIP'",
    fieldPath: '.networkPolicy',
    message:
      'networkPolicy Strict needs service.type ClusterIP: what comes through a node or a load balancer is of no namespace; use exposure instead, or Managed',
  },
];
