import { domainToASCII, domainToUnicode } from 'node:url';

/**
 * What a user name looks like: names with the same key are one name. Compatibility forms (`ａｎａ`), capitals and
 * characters that nobody sees make no difference.
 */
export const usernameKey = (name: string): string =>
  name
    .normalize('NFKC')
    .replace(/\p{Default_Ignorable_Code_Point}/gu, '')
    .trim()
    // `ß` and `SS` are one, and so is `ẞ`, of which only the small letter has those capitals
    .toLowerCase()
    .toUpperCase()
    .toLowerCase()
    .normalize('NFKC');

/** RFC 5321, 4.5.3.1 and RFC 1035, 2.3.4. Octets */
const LOCAL_PART_MAX = 64;
const DOMAIN_MAX = 253;

/** RFC 5322's atoms and RFC 6532's letters, by dots; quoted forms are nobody's address. */
const ATOM = "[\\p{L}\\p{M}\\p{N}!#$%&'*+/=?^_`{|}~-]+";
const LOCAL_PART = new RegExp(`^${ATOM}(\\.${ATOM})*$`, 'u');

/** Before IDNA, which would read `a/b` as `a`. */
const DOMAIN = /^[\p{L}\p{M}\p{N}.-]+$/u;
const LABEL = '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?';
const ASCII_DOMAIN = new RegExp(`^(${LABEL}\\.)+(?!\\d+$)${LABEL}$`);
const TOP_LEVEL_MIN = 2;

/**
 * An address in the one form in which it is stored and compared: the domain in small letters and Unicode, for it is the
 * same mailbox however it is spelled; what stands before the @ is the mail server's own business, and stays. Undefined
 * for what is no address.
 */
export function normalEmail(text: string): string | undefined {
  const at = text.lastIndexOf('@');
  const [local, domain] = [text.slice(0, at).normalize('NFC'), text.slice(at + 1)];
  if (at < 1 || !LOCAL_PART.test(local) || Buffer.byteLength(local) > LOCAL_PART_MAX) return undefined;
  const ascii = DOMAIN.test(domain) ? domainToASCII(domain) : '';
  if (!ASCII_DOMAIN.test(ascii) || ascii.length > DOMAIN_MAX) return undefined;
  if (ascii.length - ascii.lastIndexOf('.') <= TOP_LEVEL_MIN) return undefined;
  return `${local}@${domainToUnicode(ascii)}`;
}
