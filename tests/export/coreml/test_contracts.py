import pytest

from impasto.export.coreml.contracts import coreml_contract
from impasto.models.contract import TensorSpec


@pytest.mark.parametrize(("multifunction", "specification", "target"), [(False, 7, "iOS 16"), (True, 9, "iOS 18")])
def test_coreml_contract_names_images_and_versions(multifunction: bool, specification: int, target: str) -> None:
    contract = coreml_contract(multifunction)
    assert contract.inputs == (TensorSpec("image", "image", ("height", "width"), "RGB"),)
    assert contract.output == TensorSpec("stylized", "image", ("height", "width"), "RGB")
    assert contract.optional_inputs == ()
    assert contract.sides == "only the size of the function that is called"
    assert contract.requires == {
        "specification_version": specification,
        "deployment_target": target,
        "compute_precision": "float16",
    }
