/**
 * A photo taken as something is handed over: looked at, stripped of what says where and by whom it was taken, and kept as a
 * Media of the patient with a Binary of its own, beside the MedicationDispense. MISSION M10; SECURITY CP-22, DP-07
 */
import { nameUuid } from '../../mapping/transaction-bundle.ts';
import type { NewResource } from '../../ports/resource-store.ts';
import type { FhirError } from '../../standards/fhir/outcome.ts';
import { isJpeg, stripJpeg } from '../../standards/image/jpeg.ts';
import { isPng, stripPng } from '../../standards/image/png.ts';
import { ruled } from './controlled.ts';
import type { Dispensing } from './dispense-record.ts';
import type { FoundTask } from './find-task.ts';
import { isAsked, type KindsAsked } from './prescription-kinds.ts';

export interface PhotoRules {
  readonly mode: 'off' | 'optional' | 'required';
  /** For which it is required. */
  readonly askedFor: KindsAsked;
  readonly bytesMax: number;
}

/** As it was sent: `{content_type, data}`, base64. */
export interface GivenPhoto {
  readonly content_type?: unknown;
  readonly data?: unknown;
}

export interface Photo {
  readonly contentType: string;
  /** Without its metadata. */
  readonly bytes: Buffer;
}

const FORMATS = [
  { contentType: 'image/jpeg', is: isJpeg, strip: stripJpeg },
  { contentType: 'image/png', is: isPng, strip: stripPng },
] as const;

export const isPhotoNeeded = ({ mode, askedFor }: PhotoRules, found: FoundTask): boolean =>
  mode === 'required' && isAsked(askedFor, found);

/** Undefined where none is sent and none is needed. Throws 422, and nothing of the photo is in what it says. */
export function readPhoto(rules: PhotoRules, found: FoundTask, given: GivenPhoto | undefined): Photo | undefined {
  if (given === undefined) {
    if (!isPhotoNeeded(rules, found)) return undefined;
    throw refused('photo-missing', 'This prescription is handed over with a photo: photo {content_type, data}');
  }
  if (rules.mode === 'off') throw refused('photo-off', 'This server keeps no photos of dispensing: leave photo out');
  const text = typeof given.data === 'string' ? given.data : '';
  const bytes = Buffer.from(text, 'base64');
  if (text === '' || bytes.toString('base64') !== text)
    throw refused('photo-base64', 'photo.data is base64, without line breaks', 'photo.data');
  if (bytes.length > rules.bytesMax)
    throw refused('photo-large', `A photo has ${rules.bytesMax} bytes at most`, 'photo.data');
  const format = FORMATS.find(({ is }) => is(bytes));
  if (!format || format.contentType !== given.content_type)
    throw refused(
      'photo-format',
      'A photo is a JPEG or a PNG by its first bytes, and photo.content_type says which',
      'photo.content_type',
    );
  const stripped = format.strip(bytes);
  if (!stripped)
    throw refused('photo-broken', 'The photo is cut off, or not of the format that it begins as', 'photo.data');
  return { contentType: format.contentType, bytes: stripped };
}

const refused = (code: string, text: string, at = 'photo'): FhirError => ruled(code, text, at);

/** By the MedicationDispense, of which there is one photo at most. */
export const photoIdsOf = (dispenseId: string) => ({
  mediaId: nameUuid('dispensing-photo', dispenseId),
  binaryId: nameUuid('dispensing-photo-content', dispenseId),
});

/** https://hl7.org/fhir/R4/media.html; who sees the Media sees the Binary, whose context it is. */
export function photoResources(
  { contentType, bytes }: Photo,
  dispenseId: string,
  { patientId }: Pick<FoundTask, 'patientId'>,
  { at, pharmacy }: Pick<Dispensing, 'at' | 'pharmacy'>,
): readonly NewResource[] {
  const { mediaId, binaryId } = photoIdsOf(dispenseId);
  const when = new Date(at).toISOString();
  return [
    {
      id: mediaId,
      resource: {
        resourceType: 'Media',
        partOf: [{ reference: `MedicationDispense/${dispenseId}` }],
        status: 'completed',
        type: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/media-type', code: 'image' }] },
        subject: { reference: `Patient/${patientId}` },
        createdDateTime: when,
        issued: when,
        operator: { reference: `Organization/${pharmacy.id}`, display: pharmacy.name },
        content: { contentType, url: `Binary/${binaryId}`, size: bytes.length, title: 'Photo at dispensing' },
      },
    },
    {
      id: binaryId,
      resource: {
        resourceType: 'Binary',
        contentType,
        securityContext: { reference: `Media/${mediaId}` },
        data: bytes.toString('base64'),
      },
    },
  ];
}
