"""The data beside the canonical page: links, code systems, concept maps, the referral crosswalk."""
