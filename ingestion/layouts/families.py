from enum import StrEnum


class Family(StrEnum):
    LEGACY_CUR = "legacy_cur"
    CUR_2_0 = "cur_2_0"
    FOCUS_1_0_PREVIEW = "focus_1_0_preview"
    FOCUS_1_0 = "focus_1_0"
    FOCUS_1_2 = "focus_1_2"
    RECOMMENDATIONS = "recommendations"
    CARBON = "carbon"
    GENERIC = "generic"
    UNKNOWN = "unknown"


def family_of(columns, key_layout=None):
    return Family.UNKNOWN
