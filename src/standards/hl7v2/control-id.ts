/** Control ids that are made of what they name: the same for the same. HL7 v2.5.1 section 2.15.9.10 */

const BASE32 = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/** Before version 2.7 a control id is no longer. */
const LENGTH = 20;

/** A control id from the first bytes of a digest, in the letters and digits that nobody takes for one another. */
export const controlIdFrom = (digest: Uint8Array): string =>
  Array.from(digest.subarray(0, LENGTH), (byte) => BASE32[byte % 32]).join('');
