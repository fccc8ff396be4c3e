import { BlockList, isIPv4, isIPv6 } from 'node:net';

/** A block of addresses, such as `192.0.2.0/24`, `2001:db8::/32`, or one address alone. */
export interface AddressBlock {
  readonly family: 'ipv4' | 'ipv6';
  readonly prefixBits: number;
  /** Whether an address is in the block; what is no address is not. An IPv4 address mapped into IPv6 counts as itself. */
  contains(address: string): boolean;
}

/** Reads a block; `null` for anything else. */
export function parseAddressBlock(text: string): AddressBlock | null {
  const [, address = '', bits] = /^([\da-fA-F.:]{2,45})(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const family = familyOf(address);
  if (family === null) return null;
  const bitsMax = family === 'ipv4' ? 32 : 128;
  const prefixBits = bits === undefined ? bitsMax : Number(bits);
  if (prefixBits > bitsMax) return null;
  const block = new BlockList();
  block.addSubnet(address, prefixBits, family);
  return {
    family,
    prefixBits,
    contains: (candidate) => {
      const plain = unmapped(candidate);
      const candidateFamily = familyOf(plain);
      return candidateFamily === family && block.check(plain, family);
    },
  };
}

function familyOf(address: string): 'ipv4' | 'ipv6' | null {
  if (isIPv4(address)) return 'ipv4';
  return isIPv6(address) ? 'ipv6' : null;
}

/** Sockets that listen on both families tell IPv4 clients as `::ffff:192.0.2.1` (RFC 4291, 2.5.5.2). */
function unmapped(address: string): string {
  return address.toLowerCase().startsWith('::ffff:') && isIPv4(address.slice(7)) ? address.slice(7) : address;
}
