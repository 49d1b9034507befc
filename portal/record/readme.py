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
     Save the answer outside of this folder, as lender-keys.json. The keys.json in here is a copy, to be compared with it: whoever forges
     a bundle would forge that copy too.
  2. Take verify.py from where you trust it: from the lender (its page Audit, Check of the record), from whoever supervises it, or out of
     this bundle after reading it. It is one file that imports nothing but Python's own library, to be read in an hour.
  3. Run, on the ZIP as you got it or on the folder that you unpacked it into:
         python3 verify.py THIS-FILE.zip --key lender-keys.json
         python3 verify.py FOLDER --key lender-keys.json
     It says "In order: ..." or "WRONG. ..." and names the first thing that is not as it was signed. In the folder may lie nothing else.
  4. If you have the answer that the lender's system gave when it decided, save its "receipt" as receipt.json and add
         --receipt receipt.json
     That shows that the event which was promised then is the one in here.
  5. If you kept an older checkpoint of this lender (it signs one every second that something happens, and sends them to whoever asks):
     the number in its second line is its SIZE. The SIZE of this bundle is the number after the name of the lender in the first line of
     events.jsonl. Ask the lender for GET /api/v1/audit/consistency?from=SIZE OF YOURS&to=SIZE IN HERE, save the answer as proof.json, and
     add
         --checkpoint YOURS --consistency proof.json
     That shows that the record was not written anew since. A lender who has nothing to hide gives that answer.

What is in it
  manifest.json, manifest.sig   the SHA-256 of every file, and the lender's Ed25519 signature over "vouch bundle v1", a line feed, and
                                the manifest's bytes
  events.jsonl                  what happened, event by event; the first lines of verify.py describe the format. In a bundle about one
                                decision these are the events about it, its application, its product and its model, each with a proof that
                                leads to the signed checkpoint of the first line. In a bundle about a period every event of it is there.
  decision.json                 the decision: score, outcome, reasons, and the receipt that the lender's system answered with
  reasons.jsonl                 of a period: the reasons of each decision, by its id; null where the applicant was erased since
  models/                       which model answered, by the SHA-256 of its file, and its card: data, quality, limits, fairness
  rules/                        the rules that answered where no model was in force
  policies/                     the cut-offs and rules that turned scores into outcomes
  letters/                      the notice letters as they were sent, or, as not-sent.pdf, the one that is still to be sent (one decision,
                                and only for whoever may see personal data)
  keys.json, verify.py          the lender's public keys, and the verifier

How to read it
  An event is a list: "vouch event v1", its id, the action, who acted (kind, id, name), from which address, in which request, on what (kind,
  id), the details, and when. A decision.made event names the digest of the decision's stored row, which follows it. "model_version_id" and
  "policy_id" in that row are the "id" of the files in models/ and policies/; a model.stored event tells the SHA-256 of the model.
  An event's "leaf" is the hash of its bytes; all leaves make one Merkle tree (RFC 9162), and a checkpoint is the signed root of it.
  Changing, removing, adding or moving one event changes the root.

What is proven, and what is only said
  Proven by the tree: the events, when they were recorded, and each decision's row: whose, when, score, probability, outcome, model, policy.
  Nobody can change these afterwards, not even the lender, if an older checkpoint was kept elsewhere (step 5) or a receipt (step 4).
  Said by the lender, under its signature over this bundle: reasons, inputs, letters, cards, policies and rules. The row keeps inputs and
  reasons sealed, and "sealed" is the SHA-256 of that. Whether they give this very score, the lender shows by computing the decision again
  before you (manage.py replay); every night it does so with a sample, and the decisions.replayed events tell what came out.

Personal data
  {personal}
"""
