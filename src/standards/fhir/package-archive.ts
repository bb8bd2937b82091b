/**
 * FHIR packages: a tar archive with `package/package.json` and the resources beside it. https://hl7.org/fhir/R4/packages.html
 * Reads names and bytes and writes nothing; what leads out of the package, or is no plain file, is refused (SECURITY IN-24).
 */

/** A package that is not one, or not one to be trusted; the message names entries by their number, not by their name. */
export class PackageError extends Error {
  override readonly name = 'PackageError';
}

export interface PackageFile {
  /** `package/StructureDefinition-x.json` */
  readonly name: string;
  readonly content: Buffer;
}

export interface PackageLimits {
  readonly entries: number;
  readonly fileBytes: number;
  readonly bytes: number;
}

export const PACKAGE_LIMITS: PackageLimits = { entries: 20_000, fileBytes: 32 * 1024 * 1024, bytes: 256 * 1024 * 1024 };

const BLOCK = 512;
/** Name, size, check sum, type, format and prefix in a header: POSIX.1-2001 pax, section "ustar Interchange Format". */
const SIZE_AT = 124;
const SUM_AT = 148;
const TYPE_AT = 156;
const PREFIX_AT = 345;
const NAME = /^[A-Za-z0-9][A-Za-z0-9 ._+@%()[\]-]*$/;
/** Names that some systems take for devices. */
const DEVICE = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i;

/** The plain files of a tar archive, in its order. Throws `PackageError`. */
export function readPackage(archive: Buffer, limits: PackageLimits = PACKAGE_LIMITS): PackageFile[] {
  if (archive.length > limits.bytes) throw new PackageError(`the archive has more than ${limits.bytes} bytes`);
  const files: PackageFile[] = [];
  const seen = new Set<string>();
  let longName: string | undefined;
  let at = 0;
  for (let number = 1; at + BLOCK <= archive.length; number++) {
    const header = archive.subarray(at, at + BLOCK);
    if (header.every((byte) => byte === 0)) break;
    if (number > limits.entries) throw new PackageError(`the archive has more than ${limits.entries} entries`);
    checkSum(header, number);
    const size = sizeOf(header, number, limits);
    const content = archive.subarray(at + BLOCK, at + BLOCK + size);
    if (content.length < size) throw new PackageError(`entry ${number} is cut short`);
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
    const type = String.fromCharCode(header[TYPE_AT] ?? 0);
    if (type === 'x' || type === 'g') longName = type === 'x' ? paxPath(content) : longName;
    else if (type === 'L') longName = textOf(content);
    else if (type === '5') longName = undefined;
    else if (type === '0' || type === '\0') {
      const name = longName ?? nameOf(header);
      longName = undefined;
      checkName(name, number, seen);
      files.push({ name, content });
    } else throw new PackageError(`entry ${number} is no plain file (a link or a device)`);
  }
  return files;
}

function checkSum(header: Buffer, number: number): void {
  let sum = 0;
  // The sum is taken with spaces in its own place.
  for (let i = 0; i < BLOCK; i++) sum += i >= SUM_AT && i < SUM_AT + 8 ? 0x20 : header[i]!;
  if (octal(header, SUM_AT, 8) !== sum) throw new PackageError(`entry ${number} is damaged, or this is no tar archive`);
}

function sizeOf(header: Buffer, number: number, { fileBytes }: PackageLimits): number {
  const size = octal(header, SIZE_AT, 12);
  if (size === undefined || size > fileBytes)
    throw new PackageError(`entry ${number} is larger than ${fileBytes} bytes`);
  return size;
}

function octal(header: Buffer, at: number, length: number): number | undefined {
  const text = textOf(header.subarray(at, at + length)).trim();
  return /^[0-7]{1,11}$/.test(text) ? Number.parseInt(text, 8) : undefined;
}

function nameOf(header: Buffer): string {
  const name = textOf(header.subarray(0, 100));
  const isUstar = textOf(header.subarray(257, 263)).startsWith('ustar');
  const prefix = isUstar ? textOf(header.subarray(PREFIX_AT, BLOCK - 12)) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

function textOf(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return (end < 0 ? bytes : bytes.subarray(0, end)).toString('utf8');
}

/** `30 path=package/x.json\n` */
function paxPath(content: Buffer): string | undefined {
  return /^\d+ path=(.*)$/m.exec(content.toString('utf8'))?.[1];
}

function checkName(name: string, number: number, seen: Set<string>): void {
  const steps = name.replace(/^\.\//, '').split('/');
  const isPlain = steps.every(
    (step) => NAME.test(step) && !DEVICE.test(step) && !step.endsWith('.') && !step.endsWith(' '),
  );
  if (!isPlain || steps.length > 8 || name.length > 300)
    throw new PackageError(`entry ${number} has a name that leads elsewhere`);
  const key = name.toLowerCase();
  if (seen.has(key)) throw new PackageError(`entry ${number} has the name of another`);
  seen.add(key);
}
