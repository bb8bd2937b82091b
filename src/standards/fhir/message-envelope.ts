/** What a message log keeps in clear of a FHIR message. https://hl7.org/fhir/R4/messaging.html */

export interface MessageEnvelope {
  /** Code or URI of the event; `unknown` where it cannot be read. */
  readonly kind: string;
  /** `Bundle.identifier`, else `Bundle.id`. */
  readonly controlId?: string;
  /** `MessageHeader.source.endpoint` */
  readonly sender?: string;
  /** `MessageHeader.destination[0].endpoint` */
  readonly receiver?: string;
  /** `MessageHeader.response.identifier` */
  readonly correlation?: string;
}

/** Reads as far as the value is a message; nothing has been checked before. */
export function readMessageEnvelope(bundle: unknown): MessageEnvelope {
  const header = at(bundle, 'entry', '0', 'resource');
  const controlId = text(bundle, 'identifier', 'value') ?? text(bundle, 'id');
  const sender = text(header, 'source', 'endpoint');
  const receiver = text(header, 'destination', '0', 'endpoint');
  const correlation = text(header, 'response', 'identifier');
  return {
    kind: text(header, 'eventCoding', 'code') ?? text(header, 'eventUri') ?? 'unknown',
    ...(controlId !== undefined && { controlId }),
    ...(sender !== undefined && { sender }),
    ...(receiver !== undefined && { receiver }),
    ...(correlation !== undefined && { correlation }),
  };
}

function at(value: unknown, ...path: readonly string[]): unknown {
  let found = value;
  for (const name of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, name)) return undefined;
    found = (found as Record<string, unknown>)[name];
  }
  return found;
}

function text(value: unknown, ...path: readonly string[]): string | undefined {
  const found = at(value, ...path);
  return typeof found === 'string' && found !== '' ? found : undefined;
}
