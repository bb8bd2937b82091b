import type { Knex } from 'knex';

// The store: four tables a resource type (docs/decisions/0003-storage.md), the change log, jobs and settings.
// Kept free of imports from src/, so that it stays what it was when it first ran.

/** Types with an index on (pat, sd): the Patient compartment. */
const PATIENT_COMPARTMENT =
  'account adverseevent allergyintolerance appointment appointmentresponse auditevent basic bodystructure careplan ' +
  'careteam chargeitem claim claimresponse clinicalimpression communication communicationrequest composition ' +
  'condition consent coverage coverageeligibilityrequest coverageeligibilityresponse detectedissue devicerequest ' +
  'deviceusestatement diagnosticreport documentmanifest documentreference encounter enrollmentrequest episodeofcare ' +
  'explanationofbenefit familymemberhistory flag goal group imagingstudy immunization immunizationevaluation ' +
  'immunizationrecommendation invoice list measurereport media medicationadministration medicationdispense ' +
  'medicationrequest medicationstatement molecularsequence nutritionorder observation patient person procedure ' +
  'provenance questionnaireresponse relatedperson requestgroup researchsubject riskassessment schedule ' +
  'servicerequest specimen supplydelivery supplyrequest task visionprescription';

const OTHER_TYPES =
  'activitydefinition binary biologicallyderivedproduct bundle capabilitystatement catalogentry ' +
  'chargeitemdefinition codesystem compartmentdefinition conceptmap contract device devicedefinition devicemetric ' +
  'effectevidencesynthesis endpoint enrollmentresponse eventdefinition evidence evidencevariable examplescenario ' +
  'graphdefinition guidanceresponse healthcareservice implementationguide insuranceplan library linkage location ' +
  'measure medication medicationknowledge medicinalproduct medicinalproductauthorization ' +
  'medicinalproductcontraindication medicinalproductindication medicinalproductingredient ' +
  'medicinalproductinteraction medicinalproductmanufactured medicinalproductpackaged ' +
  'medicinalproductpharmaceutical medicinalproductundesirableeffect messagedefinition messageheader namingsystem ' +
  'observationdefinition operationdefinition operationoutcome organization organizationaffiliation paymentnotice ' +
  'paymentreconciliation plandefinition practitioner practitionerrole questionnaire researchdefinition ' +
  'researchelementdefinition researchstudy riskevidencesynthesis searchparameter slot specimendefinition ' +
  'structuredefinition structuremap subscription substance substancenucleicacid substancepolymer substanceprotein ' +
  'substancereferenceinformation substancesourcematerial substancespecification terminologycapabilities testreport ' +
  'testscript valueset verificationresult';

const VACUUM = 'autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02';

function typeTables(name: string, patient: boolean): string {
  return `
create table fhir.${name} (
  rid bigint primary key,
  pat bigint,
  lu bigint not null,
  sd bigint,
  se bigint,
  pm bigint not null,
  ver int not null,
  op "char" not null,
  id text collate "C" not null,
  tok bigint[] not null,
  enc int[],
  content text not null
) with (${VACUUM});
create index on fhir.${name} using gin (tok) with (fastupdate = on, gin_pending_list_limit = 64);
create index on fhir.${name} (lu);
create index on fhir.${name} (sd) where sd is not null;
create index on fhir.${name} (sd) where se - sd > 2678400000;
${patient ? `create index on fhir.${name} (pat, sd) where pat is not null;` : ''}
create table fhir.${name}_n (
  h bigint not null,
  v float8 not null,
  w float8,
  rid bigint not null
) with (${VACUUM});
create index on fhir.${name}_n (h, v, rid);
create index on fhir.${name}_n (h, w) where w is not null;
create index on fhir.${name}_n (rid);
create table fhir.${name}_s (
  h bigint not null,
  v text collate "C" not null,
  rid bigint not null
) with (${VACUUM});
create index on fhir.${name}_s (h, v, rid);
create index on fhir.${name}_s (rid);
create table fhir.${name}_h (
  rid bigint not null,
  ver int not null,
  lu bigint not null,
  op "char" not null,
  content text not null,
  primary key (rid, ver)
);`;
}

const SHARED = `
create schema mortar;
create table mortar.meta (name text primary key, value text not null);
insert into mortar.meta (name, value) values
  ('hash-key', replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '')),
  ('link-key', replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''));
create table mortar.worker (
  number int primary key,
  holder text,
  leased_until timestamptz not null default '-infinity',
  last_ms bigint not null default 0
);
insert into mortar.worker (number) select generate_series(0, 1023);
create table mortar.change (
  xid xid8 not null default pg_current_xact_id(),
  at bigint not null,
  rid bigint not null,
  pat bigint,
  ver int not null,
  type smallint not null,
  shard smallint not null,
  op "char" not null
) partition by range (at);
create index on mortar.change (at, rid, ver);
create index on mortar.change (xid, rid, ver);
create table mortar.change_other partition of mortar.change default;
create table mortar.job (
  id uuid primary key,
  kind text not null,
  key text,
  payload jsonb not null,
  state text not null default 'ready' check (state in ('ready', 'running', 'done', 'dead')),
  run_at timestamptz not null default now(),
  attempts int not null default 0,
  fence bigint not null default 0,
  leased_until timestamptz,
  error text,
  created_at timestamptz not null default now()
);
create index on mortar.job (run_at) where state = 'ready';
create index on mortar.job (key, created_at) where state in ('ready', 'running');
`;

export async function up(knex: Knex): Promise<void> {
  await knex.raw('create schema if not exists fhir');
  await knex.raw(SHARED);
  await knex.raw(
    [
      ...PATIENT_COMPARTMENT.split(' ').map((name) => typeTables(name, true)),
      ...OTHER_TYPES.split(' ').map((name) => typeTables(name, false)),
    ].join(''),
  );
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop schema fhir cascade; drop schema mortar cascade');
}
