"""Reading DICOM radiographs."""
