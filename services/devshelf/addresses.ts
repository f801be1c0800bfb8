import ipaddr from 'ipaddr.js';

/** Where the worker may connect to. The default is `publicOnly`; tests bring one that lets loopback in. */
export type AddressPolicy = {
  /** an address in text form, as the resolver or the URL gives it */
  readonly allowsAddress: (address: string) => boolean;
  readonly allowsPort: (port: number) => boolean;
};

const WEB_PORTS: readonly number[] = [80, 443, 8000, 8080, 8443];

/** Addresses that look public and are answered by the cloud provider's host: Azure's "WireServer". */
const CLOUD_HOSTS: readonly string[] = ['168.63.129.16'];

const GLOBAL_UNICAST_V6 = ipaddr.IPv6.parseCIDR('2000::/3');

/** The public Internet on the ports of the web, and nothing else. */
export const publicOnly: AddressPolicy = {
  allowsAddress: isPublic,
  allowsPort: port => WEB_PORTS.includes(port),
};

/**
 * Is this a host that anybody on the Internet could ask as well? A list of what is allowed, not of what is forbidden:
 * a range that nobody thought of is refused. Addresses that carry an IPv4 address (mapped, 6to4, NAT64, Teredo) are
 * refused whatever they carry: a resolver has no reason to answer with one.
 */
export function isPublic(text: string): boolean {
  const address = parse(text);
  if (address === undefined || CLOUD_HOSTS.includes(text)) return false;
  if (address.range() !== 'unicast') return false;
  return address instanceof ipaddr.IPv4 || address.match(GLOBAL_UNICAST_V6);
}

/** Four decimal parts or IPv6 without a zone; the other spellings of IPv4 are what filters stumble over. */
function parse(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  return ipaddr.IPv6.isValid(text) && !text.includes('%') ? ipaddr.IPv6.parse(text) : undefined;
}
