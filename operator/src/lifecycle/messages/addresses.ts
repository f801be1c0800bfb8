// Where messages may go. The file of sinks is an administrator's, and a chat server or broker may well live inside the
// cluster: private addresses are let in. What is never one is refused: this pod itself, and what the machines of clouds
// answer with their credentials, whatever name leads there.
import ipaddr from 'ipaddr.js';

const REFUSED = new Set([
  'unspecified',
  'loopback',
  'linkLocal',
  'multicast',
  'broadcast',
  'reserved',
  // carriers of IPv4 addresses that no resolver has a reason to answer with
  '6to4',
  'teredo',
  'rfc6145',
]);

/** Answered by the cloud provider's host, and not link-local: Azure, Alibaba, Oracle; of IPv6 AWS and Google. */
const CLOUD_HOSTS = new Set(['168.63.129.16', '100.100.100.200', '192.0.0.192', 'fd00:ec2::254', 'fd20:ce::254']);

/** @param text an address as a resolver gives it; what is none is refused */
export function mayReach(text: string): boolean {
  if (!ipaddr.isValid(text) || text.includes('%')) return false;
  const address = inner(ipaddr.parse(text));
  return !REFUSED.has(address.range()) && !CLOUD_HOSTS.has(address.toString());
}

/** Of one that only carries an IPv4 address (mapped, NAT64) that one. */
function inner(address: ipaddr.IPv4 | ipaddr.IPv6): ipaddr.IPv4 | ipaddr.IPv6 {
  if (address instanceof ipaddr.IPv4) return address;
  if (address.isIPv4MappedAddress()) return address.toIPv4Address();
  return address.range() === 'rfc6052' ? new ipaddr.IPv4(address.toByteArray().slice(12)) : address;
}

/** The address that a URL's host is; undefined of a name. */
export function addressIn(hostname: string): string | undefined {
  const bare = hostname.replace(/^\[|\]$/g, '');
  return ipaddr.isValid(bare) ? bare : undefined;
}
