"""The README of an examiner bundle, for a stranger who never saw Vouch."""

WITH_PERSONAL = (
    "This bundle holds personal data of an applicant: name, inputs and letter, because whoever made it may see them. Keep it accordingly."
)
WITHOUT_PERSONAL = (
    "Personal data of applicants (names, references, inputs, letters) is left out: because whoever made the bundle may not see it, or "
    "because it is about a period. Names of the partner's own people stand in the events."
)

README = """EXAMINER BUNDLE, {origin}

What you hold
  This bundle shows what a lender decided, by which model and policy, and that its record of it was not changed since. You need neither
  the lender's system nor ours to check it: only Python 3.11 or newer, on any computer, without a network.

How to check it
  1. Get the lender's public keys from the lender itself, not from this bundle: GET /api/v1/signing-keys on its address, or by letter.
     Save the answer as keys.json. The file keys.json in here is a copy for convenience; compare the two.
  2. Take verify.py out of this bundle (or from anywhere else where you trust it; it is one file, to be read in an hour).
  3. Run:   python3 verify.py THIS-FILE.zip --key keys.json
     It says "In order: ..." or "WRONG. ..." and names the first thing that is not as it was signed.
  4. If you kept an older checkpoint of this lender (it publishes one every second that something happens), ask it for
     GET /api/v1/audit/consistency?from=SIZE OF YOURS&to=SIZE IN HERE, save the answer as proof.json, and add
     --checkpoint YOURS --consistency proof.json. That shows that the record was not written anew since.

What is in it
  manifest.json, manifest.sig   the SHA-256 of every file, and the lender's Ed25519 signature over "vouch bundle v1", a line feed, and
                                the manifest's bytes
  events.jsonl                  what happened, event by event; the first lines of verify.py describe the format. In a bundle about one
                                decision each event has a proof that leads to the signed checkpoint of the first line. In a bundle about
                                a period every event of it is there, with the few beside it that the proof needs.
  decision.json                 the decision: score, outcome, reasons, and the receipt that the lender's system answered with
  reasons.jsonl                 of a period: the reasons of each decision, by its id; null where the applicant was erased since
  models/                       which model answered, by the SHA-256 of its file, and its card: data, quality, limits, fairness
  rules/                        the rules that answered where no model was in force
  policies/                     the cut-offs and rules that turned scores into outcomes
  letters/                      the notice letters as they were sent (one decision, and only for whoever may see personal data)

How to read it
  A decision.made event names the digest of the decision's stored row, which follows it. The row keeps the inputs sealed; "sealed" is the
  SHA-256 of what is stored. An event's "leaf" is the hash of its bytes; all leaves make one Merkle tree (RFC 9162), and a checkpoint is
  the signed root of it. Changing, removing, adding or moving one event changes the root.

Personal data
  {personal}
"""
