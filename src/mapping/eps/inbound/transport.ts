/**
 * What the message exchange says of itself when it carries no message: that it took one, or why it did not.
 * ebXML Message Service 2.0 sections 4.2.3, 7.3; https://www.w3.org/TR/2000/NOTE-SOAP-20000508/#_Toc478383507
 */
import type { Issue, IssueCode } from '../../../standards/fhir/outcome.ts';
import { attributeOf, childOf, elementsOf, ownText, type XmlElement } from '../../../standards/xml/tree.ts';

const EBXML = 'http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd';
const SOAP = 'http://schemas.xmlsoap.org/soap/envelope/';

export type TransportAnswer =
  | { readonly accepted: true }
  | { readonly accepted: false; readonly issues: readonly Issue[] };

/** Undefined where the documents are no answer of the exchange either. */
export function transportAnswer(documents: readonly XmlElement[]): TransportAnswer | undefined {
  const envelope = documents.find(({ name, namespace }) => name === 'Envelope' && namespace === SOAP);
  if (envelope === undefined) return undefined;
  const header = childOf(envelope, 'Header');
  const body = childOf(envelope, 'Body');
  const fault = body && childIn(body, 'Fault', SOAP);
  if (fault !== undefined) return { accepted: false, issues: [soapFault(fault)] };
  const errors = header && childIn(header, 'ErrorList', EBXML);
  if (errors !== undefined) {
    const issues = elementsOf(errors).filter(({ name, namespace }) => name === 'Error' && namespace === EBXML);
    return { accepted: false, issues: issues.length === 0 ? [NOT_TOLD] : issues.slice(0, 20).map(ebxmlError) };
  }
  return header && childIn(header, 'Acknowledgment', EBXML) ? { accepted: true } : undefined;
}

const childIn = (parent: XmlElement, name: string, namespace: string): XmlElement | undefined =>
  elementsOf(parent).find((child) => child.name === name && child.namespace === namespace);

/** The prefix of the code is the sender's own. */
function soapFault(fault: XmlElement): Issue {
  const code = textOf(fault, 'faultcode').replace(/^.*:/, '');
  return refusal(code === 'Client' ? 'invalid' : 'transient', `SOAP fault ${code}: ${textOf(fault, 'faultstring')}`);
}

const textOf = (parent: XmlElement, name: string): string => {
  const child = childOf(parent, name);
  return child === undefined ? '' : ownText(child).trim();
};

const TRANSIENT: ReadonlySet<string> = new Set(['DeliveryFailure', 'TimeToLiveExpired']);

function ebxmlError(error: XmlElement): Issue {
  const attribute = (name: string): string => error.attributes.find((one) => one.name === name)?.value ?? '';
  const code = attribute('errorCode');
  const said = textOf(error, 'Description');
  return refusal(
    TRANSIENT.has(code) ? 'transient' : 'invalid',
    `ebXML error ${code}${said === '' ? '' : `: ${said}`}`,
    attributeOf(error, 'location'),
  );
}

const refusal = (code: IssueCode, text: string, place?: string): Issue => ({
  severity: 'error',
  code,
  diagnostics: `The message exchange refused the message. ${text}`.slice(0, 500),
  ...(place !== undefined && place !== '' && { expression: [place.slice(0, 200)] }),
});

const NOT_TOLD = refusal('invalid', 'It does not say why');
