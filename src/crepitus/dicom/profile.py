"""Which attributes de-identification keeps; everything that is not named here goes.

PS3.15 Table E.1-1 names the attributes that must go or change. A list of what may stay is stricter: private
attributes, curves, overlays, comments, and what later editions of the standard add, are gone without being
named. None of the attributes below has an action in the table, except where `CHANGED` or `CHARACTERISTICS`
says so.
"""

from __future__ import annotations

KIND = """
    SpecificCharacterSet ImageType SOPClassUID Modality PresentationIntentType ConversionType
    Manufacturer ManufacturerModelName SeriesNumber InstanceNumber BurnedInAnnotation
"""
"""Character set, kind of object, maker of the device (not which device), PS3.3 C.7.3.1, C.7.5.1, C.12.1."""

PIXELS = """
    SamplesPerPixel PhotometricInterpretation PlanarConfiguration NumberOfFrames Rows Columns PixelAspectRatio
    BitsAllocated BitsStored HighBit PixelRepresentation PixelPaddingValue PixelPaddingRangeLimit
    RedPaletteColorLookupTableDescriptor GreenPaletteColorLookupTableDescriptor
    BluePaletteColorLookupTableDescriptor RedPaletteColorLookupTableData GreenPaletteColorLookupTableData
    BluePaletteColorLookupTableData LossyImageCompression LossyImageCompressionRatio
    LossyImageCompressionMethod PixelData
"""
"""Image Pixel module, PS3.3 C.7.6.3, and what is known about its compression."""

GREY_SCALE = """
    ModalityLUTSequence ModalityLUTType VOILUTSequence LUTDescriptor LUTData RescaleIntercept RescaleSlope
    RescaleType WindowCenter WindowWidth VOILUTFunction PresentationLUTShape PixelIntensityRelationship
    PixelIntensityRelationshipSign
"""
"""Modality LUT, VOI LUT and DX Image modules, PS3.3 C.11.1, C.11.2, C.8.11.3."""

ANATOMY = """
    BodyPartExamined ViewPosition Laterality ImageLaterality PatientOrientation AnatomicRegionSequence
    AnatomicRegionModifierSequence PrimaryAnatomicStructureSequence ViewCodeSequence ViewModifierCodeSequence
    CodeValue LongCodeValue CodingSchemeDesignator CodingSchemeVersion CodeMeaning
"""
"""What was imaged and how, PS3.3 C.8.11.2, C.8.11.5; codes, PS3.3 8.8."""

ACQUISITION = """
    PixelSpacing ImagerPixelSpacing PixelSpacingCalibrationType EstimatedRadiographicMagnificationFactor
    DistanceSourceToDetector DistanceSourceToPatient KVP ExposureTime XRayTubeCurrent Exposure ExposureInuAs
    FilterType Grid FocalSpots Sensitivity ExposureIndex TargetExposureIndex DeviationIndex DetectorType
    DetectorConfiguration FieldOfViewShape FieldOfViewDimensions FieldOfViewOrigin FieldOfViewRotation
    FieldOfViewHorizontalFlip PositionerType PositionerPrimaryAngle PositionerSecondaryAngle
    CollimatorShape CollimatorLeftVerticalEdge CollimatorRightVerticalEdge CollimatorUpperHorizontalEdge
    CollimatorLowerHorizontalEdge
"""
"""X-ray acquisition, detector and collimator, PS3.3 C.7.6.12, C.8.7.3, C.8.11.4."""

KEPT = frozenset(f"{KIND} {PIXELS} {GREY_SCALE} {ANATOMY} {ACQUISITION}".split())

CHARACTERISTICS = frozenset({"PatientSex", "PatientAge", "PatientSize", "PatientWeight"})
"""Kept only under the Retain Patient Characteristics Option, PS3.15 E.3.7."""

REPLACED_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
"""Action U: replaced by one that is the same wherever the original was the same."""

SHIFTED_DATES = ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate")
"""Retain Longitudinal Temporal Information with Modified Dates Option, PS3.15 E.3.6."""

EMPTIED = (
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "StudyID",
    "PatientBirthDate",
    "PatientSex",
)
"""Action Z: every image must have them (type 2), so they stay without a value."""
